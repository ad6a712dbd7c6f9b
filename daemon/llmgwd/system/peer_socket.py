"""Whose the other end of a TCP connection is, as this machine's kernel says.

Linux answers such questions over a netlink socket (sock_diag(7)) to any user, within some 10 µs:
the uid that made the socket, and its inode, which is 0 once no process holds it any more. Other
systems offer no such question to an unprivileged process; there everything here says "unknown".
"""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import sys
from typing import Final, NamedTuple

# linux/sock_diag.h, linux/inet_diag.h, linux/netlink.h
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_NLMSG_ERROR: Final = 2
_ANY_COOKIE: Final = b"\xff" * 8
_ENOENT: Final = 2
# nlmsghdr: length, type, flags, sequence, port.
_NLMSG = struct.Struct("=IHHII")
# inet_diag_req_v2 up to its sockid: family, protocol, extensions, pad, states.
_REQUEST = struct.Struct("=BBBBI")
# inet_diag_msg: family, state, timer, retrans, sockid (48), expires, rqueue, wqueue, uid, inode.
_INODE_AT: Final = _NLMSG.size + 4 + 48 + 16


class PeerSocket(NamedTuple):
    """`uid` is of the user who made the socket; without a holder it proves nothing any more."""

    uid: int
    has_holder: bool


# No socket of this machine's (of this network namespace) is at the other end.
NOT_HERE: Final = PeerSocket(-1, has_holder=False)


def prepare() -> None:
    """Open what `peer_of` asks by, while there are descriptors.

    With none left, connections whose clients have gone would never be known to be, nor freed.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            _netlink()


def peer_of(sock: socket.socket) -> PeerSocket | None:
    """Ask about the other end of a connected TCP socket; None where that cannot be known.

    Never blocks. A connection that crosses to another machine or network namespace gives
    `NOT_HERE`.
    """
    is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
    if not sys.platform.startswith("linux") or not is_tcp:
        return None
    try:
        reply = _ask(_request_about_peer(sock))
    except OSError:
        return None
    return _read(reply)


def is_peer_gone(sock: socket.socket) -> bool:
    """Does no process hold the other end of this connection? False where that cannot be known.

    A client that closed and one that only finished sending look the same: both sent a FIN.
    Pressing Esc in a coding assistant closes the socket, and the stream can end at once instead of
    when the model next says something.
    """
    try:
        if sock.getpeername()[0] != sock.getsockname()[0]:
            # Of another machine's sockets (or another network namespace's) we know nothing.
            return False
    except OSError:
        return False
    peer = peer_of(sock)
    return peer is not None and not peer.has_holder


def _request_about_peer(sock: socket.socket) -> bytes:
    """Build the question, seen from the peer: its source is our destination."""
    theirs, ours = sock.getpeername(), sock.getsockname()
    ports = struct.pack(">HH", theirs[1], ours[1])
    addresses = b"".join(
        socket.inet_pton(sock.family, address[0]).ljust(16, b"\0") for address in (theirs, ours)
    )
    sockid = ports + addresses + struct.pack("=I", 0) + _ANY_COOKIE
    body = _REQUEST.pack(sock.family, socket.IPPROTO_TCP, 0, 0, 0xFFFF_FFFF) + sockid
    length = _NLMSG.size + len(body)
    return _NLMSG.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + body


@functools.cache
def _netlink() -> socket.socket:
    """One socket for good: with every descriptor in use, the clients that are gone must be known
    for theirs to be freed.
    """
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    netlink = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
    netlink.setblocking(False)
    return netlink


def _ask(request: bytes) -> bytes:
    """The kernel answers within the call, so that question and answer never get out of step."""
    netlink = _netlink()
    netlink.send(request)
    return netlink.recv(512)


def _read(reply: bytes) -> PeerSocket | None:
    if len(reply) < _NLMSG.size + 4:
        return None
    kind = _NLMSG.unpack_from(reply)[1]
    if kind == _NLMSG_ERROR:
        (negative_errno,) = struct.unpack_from("=i", reply, _NLMSG.size)
        # No such socket: it is closed and buried, or it never was one of this machine's.
        return NOT_HERE if -negative_errno == _ENOENT else None
    if kind != _SOCK_DIAG_BY_FAMILY or len(reply) < _INODE_AT + 4:
        return None
    uid, inode = struct.unpack_from("=II", reply, _INODE_AT - 4)
    return PeerSocket(uid, has_holder=inode != 0)
