"""Who we are to a cluster: the credential that a login gives, and the logins that never expire.

A login hands out a `Credential`; a caller whose credential is refused calls `reject` once.
Credentials have no text form that shows them.
"""

from __future__ import annotations

import base64
import errno
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import anyio.to_thread

from llmgwctl.rules import regular_file
from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked
from llmgwd.system.files.file_stamp import Mark, mark
from llmgwd.system.process.descriptors import raise_if_exhausted

if TYPE_CHECKING:
    from llmgwd.cluster.kubeconfig.kubeconfig import Entry
    from llmgwd.net.tls import ClientCertificate


_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
# What Go's TrimSpace takes away; Python's strip takes four control characters more.
_BLANKS: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_UNSENDABLE: Final = "has a line's end or another control character in it"
# RFC 9110's token, without the sign that escapes the rest.
_NAME_LETTERS: Final = frozenset(string.ascii_letters + string.digits + "!#$&'*+-.^_`|~")


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """Headers to send with each request, and a certificate where a plugin made one."""

    headers: Mapping[str, str] = field(default_factory=dict)
    certificate: ClientCertificate | None = None

    def __repr__(self) -> str:
        return "<Credential>"


class Login(Protocol):
    """One way to have a credential. `files`: when one changes, trying again makes sense."""

    @property
    def files(self) -> tuple[str, ...]: ...

    @property
    def remedy(self) -> str:
        """What a person does when the cluster no longer accepts it."""

    async def current(self) -> Credential:
        """Raises Blocked or Transient: there is none to be had."""

    def accept(self, accepted: Credential) -> None:
        """The cluster knows this one: a later refusal means that it has expired."""

    def reject(self, refused: Credential) -> bool:
        """The cluster refused this one; return whether asking again may give another."""

    def doubt(self, doubted: Credential) -> bool:
        """It was refused, perhaps not by the cluster; return whether asking again may give another.
        Unlike `reject` it says nothing about the login itself.
        """

    def forget(self) -> None:
        """A file changed: earlier failures no longer count."""

    async def close(self) -> None:
        """End what still runs."""


class FixedLogin:
    """A token, a name and password, a client certificate, or no login at all."""

    def __init__(self, headers: Mapping[str, str], remedy: str) -> None:
        self._credential = Credential(headers)
        self.files: tuple[str, ...] = ()
        self.remedy = remedy

    async def current(self) -> Credential:
        return self._credential

    def accept(self, accepted: Credential) -> None:
        pass

    def reject(self, refused: Credential) -> bool:
        return False

    doubt = reject

    def forget(self) -> None:
        pass

    async def close(self) -> None:
        pass


class TokenFileLogin:
    """A token in a file that another program replaces before it expires; `spare` (the `token`
    beside it, if any) is taken while the file cannot be read or is empty, as in kubectl.

    Ours, not the Kubernetes library's: that (36.1) reads such a file once, and goes on with a token
    that was replaced long ago.
    """

    def __init__(self, path: str, origin: str, spare: str = "") -> None:
        self._path, self._origin = path, origin
        self._spare = Credential(bearer(spare)) if spare and is_header_value(spare) else None
        self._stamp: Mark | None = None
        self._credential = Credential()
        self.files = (path,)
        self.remedy = f"renew the token in {path}"

    async def current(self) -> Credential:
        """Look at the file each time; read it when it changed."""
        try:
            await self._look()
        except OSError as error:
            raise_if_exhausted(error)
            if self._spare is not None:
                return self._spare
            raise self._unusable(f"cannot read {self._path}: {error.strerror}") from error
        return self._credential

    def accept(self, accepted: Credential) -> None:
        pass

    def reject(self, refused: Credential) -> bool:
        """The file may have been replaced without a trace in its time stamp."""
        if refused is not self._credential:
            return True
        self._stamp = None
        return False

    doubt = reject

    def forget(self) -> None:
        self._stamp = None

    async def close(self) -> None:
        pass

    async def _look(self) -> None:
        stamp = mark(self._path)
        if stamp != self._stamp:
            content = await anyio.to_thread.run_sync(regular_file.read, self._path)
            try:
                token = content.decode().strip(_BLANKS)
            except UnicodeDecodeError:
                raise self._unusable(f"the token in {self._path} is not text") from None
            if not is_header_value(token):
                raise self._unusable(f"the token in {self._path} {_UNSENDABLE}")
            if not token:
                raise OSError(errno.ENODATA, "it is empty")
            self._stamp, self._credential = stamp, Credential(bearer(token))

    def _unusable(self, problem: str) -> Blocked:
        return Blocked(
            ConditionKind.LOGIN_EXPIRED,
            f"{self._origin}: {problem}",
            f"Put a token into {self._path}.",
        )


def fixed_headers(user: Entry) -> dict[str, str]:
    """The headers of a token or of a name and password.

    Raises:
        Blocked: a token that cannot be sent.
    """
    if token := user.text("token"):
        if not is_header_value(token):
            raise user.mistake("token", _UNSENDABLE, "Write it on one line.")
        return bearer(token)
    if name := user.text("username"):
        return basic(name, user.text("password"))
    return {}


def impersonation(user: Entry) -> tuple[tuple[str, str], ...]:
    """The headers of `as` and what belongs to it, as client-go sends them: one for each group and
    each value.

    Raises:
        Blocked: a group, uid or extra without `as`, or a value that cannot be in a header.
    """
    name, uid = user.text("as"), user.text("as-uid")
    groups, extras = user.texts("as-groups"), user.mapping("as-user-extra")
    extras = extras if extras and extras.values else None
    headers = [("Impersonate-User", name)]
    if uid:
        headers.append(("Impersonate-Uid", uid))
    headers += [("Impersonate-Group", group) for group in groups]
    for key in extras.values if extras else ():
        values = extras.texts(key) if extras else ()
        # In small letters, which the API server makes of them: two spellings are one key.
        name_of = f"Impersonate-Extra-{_escaped(key.lower())}"
        headers += [(name_of, value) for value in values]
    if not name:
        if uid or groups or extras:
            raise user.mistake("as", "is missing; as-groups, as-uid and as-user-extra need it")
        return ()
    for header, value in headers:
        if not is_header_value(value):
            raise user.mistake("as", f"cannot be sent: the value of {header} {_UNSENDABLE}")
    return tuple(headers)


def is_header_value(text: str) -> bool:
    """Whether HTTP can carry it: no control character but the tab (RFC 9110, 5.5)."""
    return not _CONTROL.search(text)


def basic(name: str, password: str) -> dict[str, str]:
    pair = f"{name}:{password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _escaped(key: str) -> str:
    """What a header's name cannot hold, percent-encoded."""
    return "".join(
        chr(byte) if chr(byte) in _NAME_LETTERS else f"%{byte:02X}" for byte in key.encode()
    )
