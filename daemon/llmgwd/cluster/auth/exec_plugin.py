"""Login plugins (client.authentication.k8s.io ExecCredential): how one is run and understood.

The daemon has no terminal to lend: a plugin's stdin is closed, its time is limited, and its last
word on stderr is what a person gets to read.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.auth.credentials import Credential, bearer
from llmgwd.cluster.auth.known_plugins import login_command
from llmgwd.cluster.auth.renewal import Renewed, Unattended
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.net.tls import ClientCertificate
from llmgwd.system.descriptors import raise_if_exhausted

if TYPE_CHECKING:
    from llmgwd.cluster.kubeconfig import Entry, Kubeconfig

PLUGIN_S = 30.0
# A plugin that is done but left somebody behind with its pipes is not waited for.
_DRAIN_S = 1.0
_MAX_OUTPUT_BYTES = 1024 * 1024
_API = "client.authentication.k8s.io"
_VERSIONS = (f"{_API}/v1", f"{_API}/v1beta1")
# A service started at login has a shorter PATH than a terminal; plugins live in these places.
_USUAL_PLACES = (
    "~/.local/bin",
    "~/bin",
    "~/.krew/bin",
    "~/google-cloud-sdk/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/snap/bin",
)
_OFFLINE = re.compile(
    r"could not connect|connection (?:refused|reset|error)|no such host|network is unreachable"
    r"|name resolution|name or service not known|getaddrinfo|timed? ?out|no route to host"
    r"|i/o timeout|nodename nor servname|max retries exceeded",
    re.IGNORECASE,
)
# Tokens have been seen in error texts; nothing a person needs to read is this long and unbroken.
_SECRET_LIKE = re.compile(r"[A-Za-z0-9+=._~-]{40,}")
_WORD_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a kubeconfig says about a plugin. `environment` may hold secrets, so it is not shown."""

    origin: str
    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    api_version: str
    install_hint: str
    info: str  # KUBERNETES_EXEC_INFO, ready to hand over
    remedy: str

    def __repr__(self) -> str:
        return f"<Plugin {self.command}>"


@dataclass(frozen=True, slots=True)
class Outcome:
    returncode: int
    stdout: bytes
    stderr: bytes

    def __repr__(self) -> str:
        return f"<Outcome {self.returncode}>"


def parse_plugin(chosen: Kubeconfig, entry: Entry, context: str) -> Plugin:
    """Read the `exec` entry of a user.

    Raises:
        Blocked: a mistake in it, or a plugin that insists on a terminal.
    """
    version = entry.text("apiVersion")
    if version not in _VERSIONS:
        raise entry.mistake("apiVersion", f'is "{version}"; allowed are {" and ".join(_VERSIONS)}')
    command = entry.text("command")
    if not command:
        raise entry.mistake("command", "is missing; a program's name or path is allowed")
    if entry.text("interactiveMode") == "Always":
        raise Blocked(
            ConditionKind.LOGIN_PLUGIN_FAILED,
            f"{entry.where}: interactiveMode is Always: {command} asks a person each time",
            "use a login that can be renewed without a terminal",
        )
    arguments, environment = entry.texts("args"), _environment(entry)
    info = _exec_info(version, chosen if entry.flag("provideClusterInfo") else None)
    return Plugin(
        origin=entry.where,
        command=entry.path("command") if os.sep in command else command,
        arguments=arguments,
        environment=environment,
        api_version=version,
        install_hint=" ".join(entry.text("installHint").split()),
        info=json.dumps(info),
        remedy=login_command(command, arguments, environment, context),
    )


async def renew(plugin: Plugin) -> Renewed:
    """Run a plugin and take what it gives.

    Raises:
        Blocked: it needs a person. Transient: it speaks of the network.
    """
    try:
        with anyio.fail_after(PLUGIN_S):
            outcome = await _run(plugin)
    except TimeoutError as error:
        raise Unattended(
            ConditionKind.LOGIN_EXPIRED,
            f"the login plugin {plugin.command} did not end within {PLUGIN_S:.0f} s",
            f"it may be waiting for somebody: {plugin.remedy}",
        ) from error
    except OSError as error:
        raise_if_exhausted(error)
        raise _not_started(plugin, error) from error
    if outcome.returncode != 0:
        raise _failed(plugin, outcome)
    return understand(plugin, outcome.stdout)


def understand(plugin: Plugin, stdout: bytes) -> Renewed:
    """Read an ExecCredential. Pure.

    Raises:
        Blocked: it is none, or holds neither a token nor a certificate and its key.
    """
    try:
        answer = json.loads(stdout)
        status = answer["status"]
        version = answer["apiVersion"]
        token, chain, key = map(status.get, ("token", "clientCertificateData", "clientKeyData"))
        expiry = status.get("expirationTimestamp")
        expires_at = datetime.fromisoformat(expiry).timestamp() if expiry else None
    except (ValueError, KeyError, TypeError, AttributeError):
        # Not chained: what it printed may hold a secret.
        raise _nonsense(plugin, "printed what is no ExecCredential") from None
    if version != plugin.api_version:
        raise _nonsense(plugin, f"speaks {version}, and the kubeconfig says {plugin.api_version}")
    if not token and not (chain and key):
        raise _nonsense(plugin, "gave neither a token nor a certificate and its key")
    certificate = None
    if chain and key:
        certificate = ClientCertificate(chain.encode(), key.encode(), f"plugin {plugin.command}")
    return Renewed(Credential(bearer(token) if token else {}, certificate), expires_at)


async def _run(plugin: Plugin) -> Outcome:
    """Run it in a session of its own, so that what it starts ends with it."""
    process = await anyio.open_process(
        [plugin.command, *plugin.arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_whole_environment(plugin),
        start_new_session=True,
    )
    stdout, stderr = bytearray(), bytearray()
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_drain, process.stdout, stdout)
            group.start_soon(_drain, process.stderr, stderr)
            await process.wait()
            group.cancel_scope.deadline = anyio.current_time() + _DRAIN_S
    finally:
        _kill_group(process.pid)
        with anyio.CancelScope(shield=True):
            await process.aclose()
    return Outcome(process.returncode or 0, bytes(stdout), bytes(stderr))


async def _drain(stream: anyio.abc.ByteReceiveStream, into: bytearray) -> None:
    async for chunk in stream:
        into += chunk[: max(_MAX_OUTPUT_BYTES - len(into), 0)]


def _kill_group(pid: int) -> None:
    """End the plugin and all it started; those that are gone already are no error."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _whole_environment(plugin: Plugin) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path += [place for p in _USUAL_PLACES if (place := os.path.expanduser(p)) not in path]
    inherited = {**os.environ, "PATH": os.pathsep.join(path)}
    return {**inherited, **plugin.environment, "KUBERNETES_EXEC_INFO": plugin.info}


def _environment(entry: Entry) -> dict[str, str]:
    pairs = entry.values.get("env") or []
    try:
        return {str(pair["name"]): str(pair["value"]) for pair in pairs}
    except (TypeError, KeyError):
        raise entry.mistake("env", "is not a list of name and value") from None


def _exec_info(version: str, chosen: Kubeconfig | None) -> Mapping[str, Any]:
    spec: dict[str, Any] = {"interactive": False}
    if chosen is not None:
        cluster = chosen.cluster
        spec["cluster"] = {
            key: cluster.values[key]
            for key in (
                "server",
                "tls-server-name",
                "insecure-skip-tls-verify",
                "certificate-authority-data",
                "proxy-url",
                "disable-compression",
            )
            if key in cluster.values
        }
        for extension in cluster.values.get("extensions") or ():
            if isinstance(extension, dict) and extension.get("name") == f"{_API}/exec":
                spec["cluster"]["config"] = extension.get("extension")
    return {"apiVersion": version, "kind": "ExecCredential", "spec": spec}


def _failed(plugin: Plugin, outcome: Outcome) -> LlmgwError:
    word = last_word(outcome.stderr) or f"status {outcome.returncode}, and no word on stderr"
    message = f"the login plugin {plugin.command} failed: {word}"
    if _OFFLINE.search(word):
        return Transient(ConditionKind.LOGIN_PLUGIN_FAILED, message, "is the network (VPN) up?")
    return Blocked(ConditionKind.LOGIN_EXPIRED, message, plugin.remedy)


def last_word(stderr: bytes) -> str:
    """The last line that says something, fit to be shown."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stderr.decode("utf-8", "replace"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    line = next((line for line in reversed(lines) if line), "")
    shown = "".join(letter if letter.isprintable() else " " for letter in line)
    return _SECRET_LIKE.sub("…", shown)[:_WORD_CHARACTERS]


def _not_started(plugin: Plugin, error: OSError) -> Blocked:
    return Blocked(
        ConditionKind.LOGIN_PLUGIN_FAILED,
        f"{plugin.origin}: cannot run {plugin.command}: {error.strerror or error}",
        plugin.install_hint or f"install {plugin.command}, or give its full path as command",
    )


def _nonsense(plugin: Plugin, what: str) -> Blocked:
    return Blocked(
        ConditionKind.LOGIN_PLUGIN_FAILED,
        f"the login plugin {plugin.command} {what}",
        plugin.remedy,
    )
