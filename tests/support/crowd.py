"""Connections of another user, as a program: some at a time, each held open until it is reset.

    python -m support.crowd PORT COUNT

prints how many were reset. A process of its own, so that it takes none of its watcher's time.
"""

from __future__ import annotations

import socket
import sys

from support.strangers import sockets_of_nobody

AT_A_TIME = 50


def resets_of_a_crowd(port: int, count: int) -> int:
    resets = 0
    with sockets_of_nobody():
        for _ in range(count // AT_A_TIME):
            clients = [socket.socket() for _ in range(AT_A_TIME)]
            begun = [_begin(client, port) for client in clients]
            for client, has_begun in zip(clients, begun, strict=True):
                with client:
                    resets += not has_begun or _is_reset(client)
    return resets


def _begin(client: socket.socket, port: int) -> bool:
    """Connect and ask; False where it was reset by then."""
    client.settimeout(30)
    try:
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    except (ConnectionResetError, BrokenPipeError):
        return False
    return True


def _is_reset(client: socket.socket) -> bool:
    try:
        client.recv(1)
    except ConnectionResetError:
        return True
    return False


if __name__ == "__main__":
    print(resets_of_a_crowd(*map(int, sys.argv[1:])))
