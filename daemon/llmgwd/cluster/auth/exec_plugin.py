"""Login plugins (client.authentication.k8s.io ExecCredential): how one is run and understood.

Ours, not the Kubernetes library's: its exec provider (36.1) lets a plugin read the daemon's stdin,
has no time-out, deadlocks on 300 KB of stderr and ignores provideClusterInfo. How a child is run
is `system.child_process`'s; the last line on stderr is what a person gets to read.
"""

from __future__ import annotations

import base64
import codecs
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.wire import ConditionKind
from llmgwd.cluster.auth.credentials import Credential, bearer, is_header_value
from llmgwd.cluster.auth.known_plugins import login_command
from llmgwd.cluster.auth.renewal import Renewed, Unattended
from llmgwd.cluster.kubeconfig import parsing
from llmgwd.cluster.kubeconfig.kubeconfig import read_pem
from llmgwd.cluster.kubectl import Kubectl
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.net.dial import NETWORK_REMEDY
from llmgwd.net.tls import ClientCertificate
from llmgwd.system import foreign
from llmgwd.system.process import child_process
from llmgwd.system.process.descriptors import raise_if_exhausted

if TYPE_CHECKING:
    from llmgwd.cluster.kubeconfig.kubeconfig import Entry, Kubeconfig

PLUGIN_S = 30.0
# What a plugin may learn of the cluster, beside its authority (KEP-541).
_TOLD = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "proxy-url",
    "disable-compression",
)
# A certificate chain and its key are some kilobytes.
_MAX_YAML_BYTES = 64 * 1024
_API = "client.authentication.k8s.io"
_VERSIONS = (f"{_API}/v1", f"{_API}/v1beta1")
_MODES = ("Never", "IfAvailable", "Always")
_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("apiVersion", "command", "interactiveMode", "installHint"), str),
    **dict.fromkeys(("args", "env"), list),
    "provideClusterInfo": bool,
}
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


class _Status(msgspec.Struct, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    """An ExecCredential."""

    api_version: str
    status: _Status
    kind: str | None = None


_ANSWERS = msgspec.json.Decoder(_Answer)
# Go's RFC 3339; without a zone it would be no instant.
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


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


def check(entry: Entry) -> None:
    """Raises Blocked: a mistake in the `exec` entry of a user."""
    entry.check(_KINDS)
    version = entry.text("apiVersion")
    if version not in _VERSIONS:
        raise entry.mistake("apiVersion", f'is "{version}"; allowed are {" and ".join(_VERSIONS)}')
    if not entry.text("command"):
        raise entry.mistake("command", "is missing; a program's name or path is allowed")
    mode = entry.text("interactiveMode")
    if mode not in ("", *_MODES):
        raise entry.mistake("interactiveMode", f'is "{mode}"; allowed are {", ".join(_MODES)}')
    _environment(entry)
    entry.texts("args")


def parse_plugin(chosen: Kubeconfig, entry: Entry) -> Plugin:
    """Read the `exec` entry of a user, which has been checked.

    Raises:
        Blocked: a plugin that insists on a terminal, or an authority that cannot be read.
    """
    command, version = entry.text("command"), entry.text("apiVersion")
    if entry.text("interactiveMode") == "Always":
        raise Blocked(
            ConditionKind.LOGIN_PLUGIN_FAILED,
            f"{entry.where}: interactiveMode is Always: {command} asks a person each time",
            "Use a login that can be renewed without a terminal.",
        )
    arguments, environment = entry.texts("args"), _environment(entry)
    kubectl = Kubectl(chosen.context, chosen.files)
    info = _exec_info(version, chosen if entry.flag("provideClusterInfo") else None)
    return Plugin(
        origin=entry.where,
        command=entry.path("command") if os.sep in command else command,
        arguments=arguments,
        environment=environment,
        api_version=version,
        install_hint=" ".join(entry.text("installHint").split()),
        info=json.dumps(info),
        remedy=login_command(command, arguments, environment, kubectl),
    )


async def renew(plugin: Plugin) -> Renewed:
    """Run a plugin and take what it gives.

    Raises:
        Blocked: it needs a person. Transient: it speaks of the network.
    """
    try:
        ended = await child_process.run(
            [plugin.command, *plugin.arguments],
            within_s=PLUGIN_S,
            environment=_whole_environment(plugin),
        )
    except child_process.StillRunning as error:
        raise Unattended(
            ConditionKind.LOGIN_PLUGIN_FAILED,
            f"the login plugin {plugin.command} did not end within {PLUGIN_S:.0f} s: does it wait"
            " for a person?",
            plugin.remedy,
        ) from error
    except OSError as error:
        raise_if_exhausted(error)
        raise _not_started(plugin, error) from error
    if ended.status != 0:
        raise _failed(plugin, ended)
    return understand(plugin, ended.stdout)


def understand(plugin: Plugin, stdout: bytes) -> Renewed:
    """Read an ExecCredential. Pure.

    Raises:
        Blocked: it is none, or holds neither a token nor a certificate and its key.
    """
    try:
        answer = _answer(stdout)
        status, version = answer.status, answer.api_version
        expires_at = _end_of(status.expiration_timestamp)
    except foreign.Malformed:
        # Not chained: what it printed may hold a secret.
        raise _nonsense(plugin, "printed what is no ExecCredential") from None
    if answer.kind not in (None, "", "ExecCredential"):
        raise _nonsense(plugin, f"printed a {answer.kind[:80]!r}, which is no ExecCredential")
    if version != plugin.api_version:
        raise _nonsense(
            plugin, f"speaks {version[:80]!r}, and the kubeconfig says {plugin.api_version}"
        )
    token, chain, key = status.token, status.client_certificate_data, status.client_key_data
    if bool(chain) != bool(key):
        raise _nonsense(plugin, "gave a certificate without its key, or a key without it")
    if not token and not chain:
        raise _nonsense(plugin, "gave neither a token nor a certificate and its key")
    if token and not is_header_value(token):
        raise _nonsense(plugin, "gave a token that no header can hold: it has a control character")
    certificate = None
    if chain and key:
        certificate = ClientCertificate(chain.encode(), key.encode(), f"plugin {plugin.command}")
    return Renewed(Credential(bearer(token) if token else {}, certificate), expires_at)


def _answer(stdout: bytes) -> _Answer:
    """Read an ExecCredential: JSON, or YAML as client-go takes it as well."""
    content = stdout.removeprefix(codecs.BOM_UTF8)
    if content.lstrip()[:1] == b"{" or len(content) > _MAX_YAML_BYTES:
        return foreign.typed_json(content, _ANSWERS)
    try:
        return msgspec.convert(parsing.parse(content.decode()), _Answer)
    except (parsing.NotYaml, UnicodeDecodeError, msgspec.ValidationError):
        raise foreign.Malformed("neither JSON nor YAML") from None


def _end_of(expiry: str | None) -> float | None:
    if expiry is None:
        return None
    seconds = seconds_of(expiry) if _INSTANT.fullmatch(expiry) else None
    if seconds is None:
        raise foreign.Malformed("not a time")
    return seconds


def _whole_environment(plugin: Plugin) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path += [place for p in _USUAL_PLACES if (place := os.path.expanduser(p)) not in path]
    inherited = {**os.environ, "PATH": os.pathsep.join(path)}
    return {**inherited, **plugin.environment, "KUBERNETES_EXEC_INFO": plugin.info}


def _environment(entry: Entry) -> dict[str, str]:
    """The variables as the system has them; of several with one name the last."""
    found: dict[str, str] = {}
    for item in entry.values.get("env") or ():
        if not isinstance(item, dict) or not item.get("name"):
            raise entry.mistake("env", "is not a list of name and value")
        name, value = item["name"], item.get("value")
        if not isinstance(name, str) or not isinstance(value, str | None):
            raise entry.mistake("env", "holds a value that is no text: put it in quotes")
        # As Go hands it over, NAME=VALUE: the first sign ends the name.
        name, _, value = f"{name}={value or ''}".partition("=")
        found[name] = value
    return found


def _exec_info(version: str, chosen: Kubeconfig | None) -> Mapping[str, Any]:
    spec: dict[str, Any] = {"interactive": False}
    if chosen is not None:
        cluster = chosen.cluster
        spec["cluster"] = {key: cluster.values[key] for key in _TOLD if cluster.values.get(key)}
        if (authority := read_pem(cluster, "certificate-authority")) is not None:
            coded = base64.b64encode(authority.read()).decode()
            spec["cluster"]["certificate-authority-data"] = coded
        spec["cluster"]["config"] = None  # client-go's, too, is there without an extension
        for extension in cluster.values.get("extensions") or ():
            if isinstance(extension, dict) and extension.get("name") == f"{_API}/exec":
                spec["cluster"]["config"] = extension.get("extension")
    return {"apiVersion": version, "kind": "ExecCredential", "spec": spec}


def _failed(plugin: Plugin, ended: child_process.Ended) -> LlmgwError:
    complaint = child_process.last_line(ended.stderr)
    said = complaint or f"status {ended.status}, and nothing on stderr"
    ours = f"the login plugin {plugin.command} failed"
    message = f"{ours}: {said}"
    if _OFFLINE.search(said):
        return Transient(ConditionKind.LOGIN_PLUGIN_FAILED, message, NETWORK_REMEDY, public=ours)
    return Blocked(ConditionKind.LOGIN_EXPIRED, message, plugin.remedy, public=ours)


def _not_started(plugin: Plugin, error: OSError) -> Blocked:
    return Blocked(
        ConditionKind.LOGIN_PLUGIN_FAILED,
        f"{plugin.origin}: cannot run {plugin.command}: {error.strerror or error}",
        plugin.install_hint or f"Install {plugin.command}, or give its full path as command.",
    )


def _nonsense(plugin: Plugin, what: str) -> Blocked:
    return Blocked(
        ConditionKind.LOGIN_PLUGIN_FAILED,
        f"the login plugin {plugin.command} {what}",
        plugin.remedy,
    )
