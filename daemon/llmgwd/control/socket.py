"""The daemon's claim on its control socket: one daemon a socket, nobody else let in.

Standard library only, so that it is made before anything slow is imported. Whoever holds the lock
file is the daemon; a socket file without a holder is what a crash left, and is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat

from llmgwctl.paths import SOCKET_PATH_LIMIT
from llmgwd.errors import Blocked

_BACKLOG = 128


class Claim:
    """The listening socket and the lock that goes with it; `release` when the daemon ends."""

    def __init__(self, path: str, listener: socket.socket, lock: int) -> None:
        self.path = path
        self.listener = listener
        self._lock = lock
        self._inode = os.stat(path).st_ino

    def release(self) -> None:
        """Remove the socket file, if it is still ours, and let the next daemon in."""
        self.listener.close()
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        os.close(self._lock)


def claim(path: str) -> Claim:
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
            "choose a shorter one with LLMGW_SOCKET",
        )
    try:
        _make_folder(os.path.dirname(path))
        lock = _lock(path)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        return Claim(path, _listen(path), lock)
    except OSError as error:
        os.close(lock)
        raise _unusable(path, error) from error


def _make_folder(folder: str) -> None:
    """Make it ours alone; one in /tmp that somebody else made is refused, not used."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Blocked(
            "socket-unusable",
            f"the folder of the control socket belongs to uid {found.st_uid}: {folder}",
            "choose another with LLMGW_SOCKET",
        )
    if os.path.basename(folder).startswith("llmgw") or found.st_mode & 0o022:
        os.chmod(folder, 0o700)


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
            "see: llmgwctl status",
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


def _unusable(path: str, error: OSError) -> Blocked:
    return Blocked(
        "socket-unusable",
        f"the control socket cannot be made at {path}: {error.strerror or error}",
        "choose another with LLMGW_SOCKET",
    )
