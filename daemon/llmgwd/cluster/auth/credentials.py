"""Who we are to a cluster: the credential that a login gives, and the logins that never expire.

A login hands out a `Credential`; a caller whose credential is refused calls `reject` once.
Credentials have no text form that shows them.
"""

from __future__ import annotations

import base64
import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio.to_thread

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked
from llmgwd.system import regular_file
from llmgwd.system.descriptors import raise_if_exhausted
from llmgwd.system.file_stamp import Mark, mark

if TYPE_CHECKING:
    from llmgwd.cluster.kubeconfig import Entry
    from llmgwd.net.tls import ClientCertificate


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

    def forget(self) -> None:
        pass

    async def close(self) -> None:
        pass


class TokenFileLogin:
    """A token in a file that another program replaces before it expires.

    Ours, not the Kubernetes library's: that (36.1) reads such a file once, and goes on with a token
    that was replaced long ago.
    """

    def __init__(self, path: str, origin: str) -> None:
        self._path, self._origin = path, origin
        self._stamp: Mark | None = None
        self._credential = Credential()
        self.files = (path,)
        self.remedy = f"renew the token in {path}"

    async def current(self) -> Credential:
        """Look at the file each time; read it when it changed."""
        try:
            await self._look()
        except (OSError, UnicodeDecodeError) as error:
            raise_if_exhausted(error)
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise Blocked(
                ConditionKind.LOGIN_EXPIRED,
                f"{self._origin}: cannot read {self._path}: {reason}",
                f"put a token into {self._path}",
            ) from error
        return self._credential

    def accept(self, accepted: Credential) -> None:
        pass

    def reject(self, refused: Credential) -> bool:
        """The file may have been replaced without a trace in its time stamp."""
        if refused is not self._credential:
            return True
        self._stamp = None
        return False

    def forget(self) -> None:
        self._stamp = None

    async def close(self) -> None:
        pass

    async def _look(self) -> None:
        stamp = mark(self._path)
        if stamp != self._stamp:
            content = await anyio.to_thread.run_sync(regular_file.read, self._path)
            token = content.decode().strip()
            if not is_token(token):
                raise OSError(errno.EINVAL, "not a token: it has line breaks, or is not ASCII")
            self._stamp, self._credential = stamp, Credential(bearer(token))


def fixed_headers(user: Entry) -> dict[str, str]:
    """The headers of a token or of a name and password; token wins, as in kubectl."""
    if token := user.text("token").strip():
        if not is_token(token):
            raise user.mistake("token", "holds line breaks, or is not ASCII")
        return bearer(token)
    if name := user.text("username"):
        pair = f"{name}:{user.text('password')}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    return {}


def impersonation(user: Entry) -> dict[str, str]:
    """The headers of `as`, `as-uid` and `as-groups`.

    Raises:
        Blocked: several groups; each would need a header of the same name.
    """
    headers: dict[str, str] = {}
    groups = user.texts("as-groups")
    if len(groups) > 1:
        raise user.mistake("as-groups", "names several groups; one is allowed here")
    names = (*groups, user.text("as"), user.text("as-uid"))
    if not all(is_token(name) for name in names):
        raise user.mistake("as", "holds what no header can: ASCII without control characters is")
    if groups:
        headers["Impersonate-Group"] = groups[0]
    if name := user.text("as"):
        headers["Impersonate-User"] = name
    if uid := user.text("as-uid"):
        headers["Impersonate-Uid"] = uid
    return headers


def is_token(text: str) -> bool:
    """Say whether a header can hold it: a line break in it would be another header."""
    return text.isascii() and text.isprintable()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
