"""Who is at the other end of a Unix socket, as the kernel says."""

from __future__ import annotations

import socket
import struct
import sys

# <sys/un.h> of macOS: getsockopt level SOL_LOCAL, option LOCAL_PEERCRED, answer struct xucred
# { u_int cr_version; uid_t cr_uid; short cr_ngroups; gid_t cr_groups[16]; }.
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_XUCRED_SIZE = 76
_XUCRED_VERSION = 0


def peer_uid(connection: socket.socket) -> int | None:
    """Give the uid of the process that connected, or None where the system does not say."""
    try:
        if sys.platform == "darwin":
            return uid_of_xucred(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE))
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    _pid, uid, _gid = struct.unpack("3I", found)
    return int(uid)


def uid_of_xucred(found: bytes) -> int | None:
    """Read macOS's struct xucred."""
    if len(found) < 8:
        return None
    version, uid = struct.unpack_from("=II", found)
    return int(uid) if version == _XUCRED_VERSION else None
