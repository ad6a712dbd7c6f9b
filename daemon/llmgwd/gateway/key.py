"""The gateway's key: where it comes from.

It lives in memory only. Every value is registered with the log's redactor as soon as it is known,
before any other code sees it.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from llmgwctl.rules import regular_file
from llmgwctl.rules.litellm_answers import KeyVerdict
from llmgwctl.wire import ConditionKind
from llmgwd import errors
from llmgwd.cluster.api_errors import NotFound
from llmgwd.config.key_source import Command, Env, File, Secret
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.system.process import child_process

if TYPE_CHECKING:
    from llmgwd.config.key_source import KeySource

# Long enough for a hardware token's touch, short enough that a prompt that no one sees is noticed.
COMMAND_S: Final = 20.0
# A command may unlock something each time, and a Secret is a request to the API server.
KEEP_S: Final = 600.0
MAX_KEY_BYTES: Final = 16 << 10

# Where LiteLLM's charts and manifests put the master key; {release} is the target's name.
KNOWN_SECRETS: Final = (
    "litellm-secrets/LITELLM_MASTER_KEY",
    "{release}-masterkey/masterkey",
    "litellm-masterkey/masterkey",
    "litellm-helm-masterkey/masterkey",
    "litellm-master-key-secret/master-key",
)

# Gives the decoded entries of a Secret in the forward's namespace, or None: there is none.
# Raises the errors of the cluster: permission-denied, login-expired, …
ReadSecret = Callable[[str], Awaitable[Mapping[str, str] | None]]


@dataclass(frozen=True, slots=True)
class Key:
    """`source` is in words for people; `warning` is a sentence about how it is kept, or empty."""

    value: str = field(repr=False)
    source: str
    warning: str = ""


class KeyRing:
    """Gives the key of one gateway, asking its source no more often than needed.

    `learned` is called with each new value (the log's redactor). `release` is the bare name of
    the target, from which a chart's names are made.
    """

    def __init__(
        self,
        source: KeySource,
        read_secret: ReadSecret,
        learned: Callable[[str], None],
        *,
        namespace: str = "litellm",
        release: str = "litellm",
    ) -> None:
        self._source = source
        self._read_secret = read_secret
        self._learned = learned
        self._namespace = namespace
        self._release = release
        self._kept: Key | None = None
        self._kept_until = 0.0
        self._rejected: str | None = None
        self._asking = anyio.Lock()

    async def key(self) -> Key:
        """Give the key, from memory or from its source.

        Raises:
            Blocked: the source has none (key-missing), or may not be read; with the remedy.
            Transient: the cluster cannot be reached, and no value was kept.
        """
        async with self._asking:
            if self._kept is not None and anyio.current_time() < self._kept_until:
                return self._kept
            try:
                key = await self._ask()
            except Transient:
                if self._kept is None:
                    raise
                return self._kept
            self._learned(key.value)
            is_cheap = isinstance(self._source, Env | File)
            self._kept, self._kept_until = key, anyio.current_time() + (0 if is_cheap else KEEP_S)
            return key

    def forget(self) -> None:
        """Ask the source again next time: the gateway did not take this one."""
        self._kept = None

    def expire(self) -> None:
        """Ask the source again next time; where it cannot be asked, this key is still given."""
        self._kept_until = 0.0

    def is_rejected(self, key: Key) -> bool:
        """The gateway rejected this key, and has not accepted it since."""
        return key.value == self._rejected

    def rejected(self, values: Collection[str]) -> None:
        """The gateway rejected a request with these keys: if ours is one, its source is asked."""
        if self._kept is not None and self._kept.value in values:
            self._rejected = self._kept.value
            self.expire()

    def judged(self, key: Key, verdict: KeyVerdict) -> None:
        """The gateway was asked about this key."""
        if verdict is KeyVerdict.REJECTED:
            self.rejected({key.value})
        elif verdict is not KeyVerdict.UNKNOWN and self.is_rejected(key):
            self._rejected = None

    async def _ask(self) -> Key:
        match self._source:
            case Env(name):
                return from_environment(name, os.environ)
            case File(path):
                return await anyio.to_thread.run_sync(from_file, path)
            case Command(words):
                return await from_command(words)
            case Secret() as secret:
                return await self._from_secret(secret)

    async def _from_secret(self, secret: Secret) -> Key:
        try:
            entries = await self._read_secret(secret.name)
        except LlmgwError as error:
            if error.code != ConditionKind.PERMISSION_DENIED:
                raise
            raise _forbidden(secret.name, self._namespace) from error
        if entries is not None and secret.entry in entries:
            value = _cleaned(entries[secret.entry], f"Secret {secret}")
            return Key(value, f"secret {secret}")
        raise await self._missing(secret, entries)

    async def _missing(self, secret: Secret, entries: Mapping[str, str] | None) -> Blocked:
        """Say what is not there, and offer what a chart may have put elsewhere."""
        name, entry = secret.name, secret.entry
        found = await self._known_places(exclude=str(secret))
        remedy = f'Set [gateway] key = {{ secret = "{found[0] if found else "NAME/KEY"}" }}'
        remedy += " in the configuration." if found else ", or take it from a file or a command."
        if entries is not None:
            what = f"Secret {name} in namespace {self._namespace} has no entry {entry}"
            what += f" (it has {', '.join(sorted(entries))})." if entries else " (it is empty)."
        else:
            what = f"Namespace {self._namespace} has no Secret {name}."
        if found:
            what += f" There is {' and '.join(found)}."
        return Blocked(ConditionKind.KEY_MISSING, what, remedy)

    async def _known_places(self, exclude: str) -> list[str]:
        found = []
        for known in dict.fromkeys(known.format(release=self._release) for known in KNOWN_SECRETS):
            name, _, entry = known.partition("/")
            if known == exclude:
                continue
            try:
                entries = await self._read_secret(name)
            except LlmgwError:
                continue
            if entries is not None and entry in entries:
                found.append(known)
        return found


def from_environment(name: str, environment: Mapping[str, str]) -> Key:
    """The daemon's environment, which is not the shell's where the login manager started it."""
    if not environment.get(name):
        raise Blocked(
            ConditionKind.KEY_MISSING,
            f"The environment of llmgwd has no {name}.",
            "A service does not see the shell's variables: use [gateway] key = { file = … } or"
            " { command = […] }, or set it for the service.",
        )
    return Key(_cleaned(environment[name], f"variable {name}"), f"variable {name}")


def from_file(path: str) -> Key:
    """Read a key file, such as sops-nix writes; blocking."""
    place = Path(path).expanduser()
    try:
        raw, mode = regular_file.read_with_mode(place)
    except OSError as error:
        raise Blocked(
            ConditionKind.KEY_MISSING,
            f"The key file {place} cannot be read: {error.strerror}.",
            "Check the path under [gateway] key in the configuration, and who may read it.",
        ) from error
    warning = ""
    if mode & stat.S_IROTH:
        tighten = errors.command("chmod", "600", str(place))
        warning = f"Everybody on this machine can read {place}: {tighten}"
    return Key(_cleaned(_text(raw, str(place)), str(place)), f"file {place}", warning)


async def from_command(command: Sequence[str]) -> Key:
    """Run a command that prints the key; it cannot ask a person anything."""
    program = command[0]
    try:
        ended = await child_process.run(command, within_s=COMMAND_S)
    except OSError as error:
        raise _failed(program, f"cannot be started: {error.strerror}") from error
    except child_process.StillRunning as error:
        said = _quoted(error.complaint)
        raise _failed(program, f"did not end within {COMMAND_S:g} s", said) from error
    if ended.status != 0:
        said = _quoted(child_process.last_line(ended.stderr))
        raise _failed(program, f"failed with exit status {ended.status}", said)
    return Key(_cleaned(_text(ended.stdout, program), program), f"command {program}")


def secrets_by(get: Callable[[str], Awaitable[Mapping[str, Any]]]) -> ReadSecret:
    """Read the entries of Secrets; `get` gives the object of that name, or raises NotFound."""

    async def read(name: str) -> Mapping[str, str] | None:
        try:
            return decoded(await get(name))
        except NotFound:
            return None

    return read


def decoded(secret: Mapping[str, object]) -> dict[str, str]:
    """The entries of a Secret object as the API server gives it; what is not text is left out."""
    entries = secret.get("data")
    texts: dict[str, str] = {}
    for name, value in (entries if isinstance(entries, dict) else {}).items():
        try:
            texts[name] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return texts


def _text(raw: bytes, place: str) -> str:
    if len(raw) > MAX_KEY_BYTES:
        raise _unusable(place, f"is longer than {MAX_KEY_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _unusable(place, "is not text") from error


def _cleaned(value: str, place: str) -> str:
    """Take the newline off that editors and `echo` add; refuse what cannot be a header."""
    value = value.strip()
    if not value:
        raise _unusable(place, "is empty")
    if not value.isascii() or not value.isprintable():
        raise _unusable(place, "has several lines or signs that no key has")
    return value


def _unusable(place: str, what: str) -> Blocked:
    return Blocked(
        ConditionKind.KEY_MISSING,
        f"What {place} gives as the key {what}.",
        "The source must give the key alone, on one line.",
    )


def _failed(program: str, what: str, said: str = "") -> Blocked:
    return Blocked(
        ConditionKind.KEY_MISSING,
        f"The key command {program} {what}{said}.",
        "Run it in a terminal without input (</dev/null) and see that it prints the key alone.",
        public=f"The key command {program} {what}.",
    )


def _quoted(complaint: str) -> str:
    return f": {complaint}" if complaint else ""


def _forbidden(name: str, namespace: str) -> Blocked:
    rule = (
        f'{{apiGroups: [""], resources: [secrets], resourceNames: [{name}], verbs: [get, watch]}}'
    )
    return Blocked(
        ConditionKind.PERMISSION_DENIED,
        f"This login may not get the Secret {name} in namespace {namespace}.",
        f"Have a Role there with the rule {rule}, or set [gateway] key to an env, a file or a"
        " command.",
    )
