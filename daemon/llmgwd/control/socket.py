"""The control socket: one daemon a socket, no one else let in, bound again when its file is gone.

Standard library only, so that it is made before anything slow is imported. The holder of the lock
file is the daemon; a socket file without a holder is what a crash left, and is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import socket
import stat
from collections.abc import Iterator

from llmgwctl.paths import SOCKET_PATH_LIMIT
from llmgwd.errors import Blocked

_BACKLOG = 128
_CHOOSE = "Choose another with LLMGW_SOCKET."


class ControlSocket:
    """The listening socket and the lock that goes with it; `release` when the daemon ends."""

    def __init__(self, path: str, listener: socket.socket, lock: int) -> None:
        self.path = path
        self.listener = listener
        self._lock = lock
        self._inode = os.stat(path).st_ino

    @property
    def is_reachable(self) -> bool:
        """Does the path still lead to our listener?"""
        return self.listener.fileno() >= 0 and _inode(self.path) == self._inode

    def bind_again(self) -> None:
        """Listen at the path anew, with a folder and a lock of our own where those went too.

        Raises:
            Blocked: as `bind_control_socket`; nothing has changed then, and it can be tried again.
        """
        with _explained(self.path):
            _make_folder(os.path.dirname(self.path))
            if _inode(f"{self.path}.lock") != os.fstat(self._lock).st_ino:
                # Another daemon may have found no lock and taken the path: then it is that one's.
                before, self._lock = self._lock, _lock(self.path)
                os.close(before)
            before_listener, self.listener = self.listener, _listen(self.path)
            before_listener.close()
            self._inode = os.stat(self.path).st_ino

    def release(self) -> None:
        """Remove the socket file, if it is still ours, and let the next daemon in."""
        self.listener.close()
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        os.close(self._lock)


def bind_control_socket(path: str) -> ControlSocket:
    """Lock, make the folder (0700) and the socket (0600), and listen.

    Connections are taken from then on, and answered when the API runs.

    Raises:
        Blocked: another daemon has it (its pid is named), or the folder or path cannot be used.
    """
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_LIMIT:
        raise Blocked(
            "socket-unusable",
            f"the control socket's path has {size} bytes, and {SOCKET_PATH_LIMIT} are allowed: "
            f"{path}",
            "Choose a shorter one with LLMGW_SOCKET.",
        )
    with _explained(path):
        _make_folder(os.path.dirname(path))
        lock = _lock(path)
        try:
            return ControlSocket(path, _listen(path), lock)
        except OSError:
            os.close(lock)
            raise


def _make_folder(folder: str) -> None:
    """Make it ours alone, and use one that is there only if no other user can replace files in it.

    What we did not make is never changed: it may be /tmp, or a folder that others use.
    """
    with contextlib.suppress(FileExistsError):
        os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
        # Whatever the umask is: it can only take away from this.
        os.mkdir(folder, mode=0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Blocked(
            "socket-unusable",
            f"the folder of the control socket belongs to uid {found.st_uid}: {folder}",
            _CHOOSE,
        )
    # In a sticky folder (/tmp) others may add files, not replace ours.
    if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        raise Blocked(
            "socket-unusable",
            f"others may write to the folder of the control socket: {folder}",
            f"chmod go-w {shlex.quote(str(folder))}",
        )


def _lock(path: str) -> int:
    """Hold PATH.lock for this process's life; the file stays: to remove it would be a race."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise Blocked(
            "already-running",
            f"llmgwd is already running (pid {holder or 'unknown'}) on {path}",
            "llmgwctl status",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _listen(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(17, "there is something that is no socket", path)
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode is right from the first moment on, not only after a chmod.
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    os.chmod(path, 0o600)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _inode(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(path).st_ino
    return None


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Blocked(
            "socket-unusable",
            f"the control socket cannot be made at {path}: {error.strerror or error}",
            _CHOOSE,
        ) from error
