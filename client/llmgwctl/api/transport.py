"""HTTP over the daemon's Unix socket, by hand: http.client takes 25 ms to import.

Requests are HTTP/1.0, so an answer ends where its length says or where the connection ends, and
is never chunked. Every failure becomes a `ClientError` here.
"""

from __future__ import annotations

# The module beneath socket, which takes 3 ms to import: as long as drawing the table.
import _socket
import os
import stat
import sys
import time

from llmgwctl.errors import NotRunning, Unreachable, UsageError
from llmgwctl.paths import SOCKET_PATH_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 5.0
# The daemon sends a watcher an empty line every 15 s: three missed ones mean that it hangs.
WATCH_TIMEOUT_S = 45.0
_HEAD_LIMIT = 64 * 1024
# Far above the status of a thousand forwards; a bound, so that a faulty peer cannot fill memory.
_BODY_LIMIT = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class Answer:
    """An answer of the daemon; names of headers are in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def request(
    path: str, method: str, target: str, body: bytes = b"", timeout_s: float | None = TIMEOUT_S
) -> Answer:
    """Ask once and read the whole answer.

    Raises:
        NotRunning: no process listens at `path`.
        Unreachable: the socket is another user's, or its owner hangs or does not speak HTTP.
        UsageError: the path is too long for a socket.
    """
    connection = _connect(path, timeout_s)
    try:
        _send(connection, _head(method, target, body))
        return _read_answer(connection)
    except TimeoutError as error:
        raise _hangs(connection, timeout_s) from error
    except OSError as error:
        raise _cut(error.strerror or str(error)) from error
    finally:
        connection.close()


class LineStream:
    """An answer without an end, line by line. Close it, or use it as a context."""

    def __init__(self, path: str, target: str, timeout_s: float | None = TIMEOUT_S) -> None:
        """Ask, and read the head; of an error, `error_answer` has the whole answer."""
        self._connection = _connect(path, timeout_s)
        try:
            _send(self._connection, _head("GET", target, b""))
            self.status, self.headers, self._rest = _read_head(self._connection)
            self.error_answer: Answer | None = None
            if self.status != 200:
                body = _read_body(self._connection, self.headers, self._rest)
                self.error_answer = Answer(self.status, self.headers, body)
        except TimeoutError as error:
            self._connection.close()
            raise _hangs(self._connection, timeout_s) from error
        except OSError as error:
            self._connection.close()
            raise _cut(error.strerror or str(error)) from error
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> LineStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def fileno(self) -> int:
        """Make it possible to wait with `select`."""
        return self._connection.fileno()

    def lines(
        self, timeout_s: float | None = WATCH_TIMEOUT_S, until: float | None = None
    ) -> Iterator[bytes]:
        """Yield lines without their end, including the empty ones (the daemon's sign of life).

        Raises:
            TimeoutError: no line came for `timeout_s`, not even an empty one, or `until` (on the
                monotonic clock) has passed.
        """
        while True:
            yield from self._whole_lines()
            left_s = timeout_s
            if until is not None:
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                left_s = left_s if timeout_s is None else min(left_s, timeout_s)
            self._connection.settimeout(left_s)
            if not self._receive():
                return

    def ready_lines(self) -> list[bytes] | None:
        """Read once, after `select`, and give the lines that completes; None at the end."""
        if not self._receive():
            return None
        return self._whole_lines()

    def _whole_lines(self) -> list[bytes]:
        *whole, self._rest = self._rest.split(b"\n")
        return whole

    def _receive(self) -> bool:
        """Add the next bytes to the rest; False at the end."""
        try:
            chunk = self._connection.recv(_CHUNK)
        except ConnectionError:
            return False
        if len(self._rest) > _BODY_LIMIT:
            raise _garbage()
        self._rest += chunk
        return bool(chunk)


def peer_pid(connection: _socket.socket) -> int | None:
    """Give the process id of the other end; None where the system does not say."""
    if sys.platform == "darwin":
        # <sys/un.h>: LOCAL_PEERPID at SOL_LOCAL (0) gives a pid_t.
        found = _option(connection, 0, 2, 4)
    else:
        found = _credentials(connection)[:4]
    return int.from_bytes(found, sys.byteorder) or None


def peer_uid(connection: _socket.socket) -> int | None:
    """Give the user id of the process at the other end; None where the system does not say."""
    if sys.platform == "darwin":
        # <sys/ucred.h>: LOCAL_PEERCRED at SOL_LOCAL (0) gives struct xucred, version and uid.
        found = _option(connection, 0, 1, 76)
    else:
        found = _credentials(connection)
    return int.from_bytes(found[4:8], sys.byteorder) if len(found) >= 8 else None


def _credentials(connection: _socket.socket) -> bytes:
    """Linux's struct ucred: pid, uid, gid; empty elsewhere."""
    option = getattr(_socket, "SO_PEERCRED", None)
    return b"" if option is None else _option(connection, _socket.SOL_SOCKET, option, 12)


def _option(connection: _socket.socket, level: int, option: int, size: int) -> bytes:
    try:
        return connection.getsockopt(level, option, size)
    except OSError:
        return b""


def _connect(path: str, timeout_s: float | None) -> _socket.socket:
    _check_length(path)
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _check_file(path)
        connection.settimeout(timeout_s)
        connection.connect(path)
        _check_peer(connection, path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        connection.close()
        raise NotRunning from error
    except PermissionError as error:
        connection.close()
        remedy = "run llmgwctl as the user who runs llmgwd"
        raise Unreachable("socket-forbidden", f"no access to the socket {path}", remedy) from error
    except (TimeoutError, BlockingIOError) as error:
        connection.close()
        raise _hangs(connection, timeout_s) from error
    except OSError as error:
        connection.close()
        message = f"{path} is not a socket of llmgwd ({error.strerror})"
        raise Unreachable("socket-unusable", message) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check_length(path: str) -> None:
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_LIMIT:
        raise UsageError(
            f"the socket path has {size} bytes, and {sys.platform} allows {SOCKET_PATH_LIMIT}: "
            f"{path}",
            "choose a shorter one with --socket or LLMGW_SOCKET, here and for llmgwd",
        )


def _check_file(path: str) -> None:
    found = os.stat(path)
    if not stat.S_ISSOCK(found.st_mode):
        raise Unreachable(
            "socket-unusable", f"{path} is not a socket", "choose another with --socket"
        )
    _require_ours(found.st_uid, path)


def _check_peer(connection: _socket.socket, path: str) -> None:
    """Refuse another user's server: the path may have come to lead elsewhere since it was looked
    at, where others may write into the folder.
    """
    owner = peer_uid(connection)
    if owner is not None:
        _require_ours(owner, path)


def _require_ours(owner: int, path: str) -> None:
    if owner != os.getuid():
        raise Unreachable(
            "socket-not-ours",
            f"the socket {path} belongs to uid {owner}, not to you (uid {os.getuid()})",
            "run llmgwctl as that user, or choose your own with --socket or LLMGW_SOCKET",
        )


def _head(method: str, target: str, body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.0", "Host: llmgwd"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _send(connection: _socket.socket, asked: bytes) -> None:
    # A daemon with too many connections answers and closes before it has read the request.
    try:  # noqa: SIM105 - contextlib would be an import
        connection.sendall(asked)
    except BrokenPipeError:
        pass


def _read_answer(connection: _socket.socket) -> Answer:
    status, headers, rest = _read_head(connection)
    return Answer(status, headers, _read_body(connection, headers, rest))


def _read_head(connection: _socket.socket) -> tuple[int, dict[str, str], bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(_CHUNK)
        if not chunk:
            raise _cut("it closed the connection without an answer")
        received += chunk
        if len(received) > _HEAD_LIMIT or not received.startswith(b"HTTP/1."[: len(received)]):
            raise _garbage()
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    word = first.split(" ", 2)
    if len(word) < 2 or not (word[1].isdecimal() and len(word[1]) == 3):
        raise _garbage()
    headers = {}
    for line in fields:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(word[1]), headers, rest


def _read_body(connection: _socket.socket, headers: dict[str, str], received: bytes) -> bytes:
    """Read as many bytes as Content-Length says, or without it up to the end."""
    announced = headers.get("content-length", "")
    if len(announced) > 10:
        raise _garbage()  # beyond the limit, and int() has one of its own
    wanted = int(announced) if announced.isdecimal() else None
    parts = [received]
    size = len(received)
    while wanted is None or size < wanted:
        chunk = connection.recv(_CHUNK)
        if not chunk:
            if wanted is not None:
                raise _cut(f"the answer broke off after {size} of {wanted} bytes")
            break
        parts.append(chunk)
        size += len(chunk)
        if size > _BODY_LIMIT:
            raise _garbage()
    return b"".join(parts)


def _hangs(connection: _socket.socket, timeout_s: float | None) -> Unreachable:
    pid = peer_pid(connection) if connection.fileno() >= 0 else None
    who = f"llmgwd (pid {pid})" if pid else "llmgwd"
    return Unreachable(
        "daemon-hangs",
        f"{who} gave no answer within {timeout_s or 0:g} s",
        "restart it with: llmgwctl service restart",
    )


def _cut(what: str) -> Unreachable:
    return Unreachable("answer-cut", f"llmgwd did not answer: {what}", "try again")


def _garbage() -> Unreachable:
    message = "the process at the socket is not llmgwd: it does not speak HTTP"
    return Unreachable("not-llmgwd", message, "choose another socket with --socket")
