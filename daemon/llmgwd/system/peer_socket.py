"""Whose the other end of a TCP connection is, as this machine's kernel says.

Linux answers such questions over a netlink socket (sock_diag(7)) to any user, within some 10 µs:
the uid that made the socket, and its inode, which is 0 once no process holds it any more. Other
systems offer no such question to an unprivileged process; there everything here says "unknown".
"""

from __future__ import annotations

import functools
import itertools
import os
import socket
import struct
import sys
from typing import Any, Final, NamedTuple

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
_PORTS_AT: Final = _NLMSG.size + 4
_INODE_AT: Final = _PORTS_AT + 48 + 16
# Of both ends, source and destination, at the beginning of a sockid.
_PORTS = struct.Struct(">HH")
# An answer that an interrupted question left behind is passed over; more than these there are none.
_REPLIES_READ: Final = 8


class PeerSocket(NamedTuple):
    """`uid` is of the user who made the socket; without a holder it proves nothing any more."""

    uid: int
    has_holder: bool


# An address and a port; for IPv6 two numbers more.
End = tuple[Any, ...]

# No socket of this machine's (of this network namespace) is at the other end.
NOT_HERE: Final = PeerSocket(-1, has_holder=False)


@functools.cache
def can_tell() -> bool:
    """Does this system say whose a connection is? It is asked about one of our own, once.

    A sandbox may have no such question, and a kernel without tcp_diag answers it as if there were
    no such socket. Ask early, while there are descriptors: with none left, connections whose
    clients have gone would never be known to be, nor freed.
    """
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as ours,
        ):
            found = _look_up(ours, ours.getsockname(), ours.getpeername())
            return found == PeerSocket(os.geteuid(), has_holder=True)
    except OSError:
        return False


def peer_of(sock: socket.socket) -> PeerSocket | None:
    """Ask about the other end of a connected TCP socket; None where that cannot be known.

    Never blocks. A connection that crosses to another machine or network namespace gives
    `NOT_HERE`.
    """
    try:
        return _look_up(sock, sock.getpeername(), sock.getsockname())
    except OSError:
        return None


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


def _look_up(sock: socket.socket, source: End, destination: End) -> PeerSocket | None:
    """Look up the socket between these two ends, in the family of `sock`; raises OSError."""
    family = sock.family  # asked once: it is made into its enumeration each time
    is_tcp = family in (socket.AF_INET, socket.AF_INET6)
    if not sys.platform.startswith("linux") or not is_tcp:
        return None
    ports = _PORTS.pack(source[1], destination[1])
    addresses = b"".join(
        socket.inet_pton(family, end[0]).ljust(16, b"\0") for end in (source, destination)
    )
    sockid = ports + addresses + struct.pack("=I", 0) + _ANY_COOKIE
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFF_FFFF) + sockid
    return _read(_ask(request), ports)


@functools.cache
def _netlink() -> socket.socket:
    """One socket for good: with every descriptor in use, the clients that are gone must be known
    for theirs to be freed.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("no netlink on this system")
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    netlink.setblocking(False)
    return netlink


_sequence = itertools.count(1)


def _ask(request: bytes) -> bytes:
    """Ask about a socket; the kernel answers within the call.

    The answer is known by its number: one that was left behind would say of this connection what
    is so of another one.
    """
    sequence = next(_sequence) & 0xFFFF_FFFF
    length = _NLMSG.size + len(request)
    head = _NLMSG.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, sequence, 0)
    netlink = _netlink()
    netlink.send(head + request)
    for _ in range(_REPLIES_READ):
        reply = netlink.recv(512)
        if len(reply) >= _NLMSG.size and _NLMSG.unpack_from(reply)[3] == sequence:
            return reply
    raise BlockingIOError


def _read(reply: bytes, ports: bytes) -> PeerSocket | None:
    """Read an answer; `ports` are those of the socket that was asked about.

    Where there is no such connection, the kernel goes on to look for one that listens at its
    address: a connection from another machine would be of the user who listens here, on any
    address, at the port that it happens to come from. A socket that listens has no other end.
    """
    if len(reply) < _NLMSG.size + 4:
        return None
    kind = _NLMSG.unpack_from(reply)[1]
    if kind == _NLMSG_ERROR:
        (negative_errno,) = struct.unpack_from("=i", reply, _NLMSG.size)
        # No such socket: it is closed and buried, or it never was one of this machine's.
        return NOT_HERE if -negative_errno == _ENOENT else None
    if kind != _SOCK_DIAG_BY_FAMILY or len(reply) < _INODE_AT + 4:
        return None
    if reply[_PORTS_AT : _PORTS_AT + _PORTS.size] != ports:
        return NOT_HERE
    uid, inode = struct.unpack_from("=II", reply, _INODE_AT - 4)
    return PeerSocket(uid, has_holder=inode != 0)
