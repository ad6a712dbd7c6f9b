"""Ports for tests to listen on."""

from __future__ import annotations

import contextlib
import random
import socket

# Below what Linux and macOS give to outgoing connections: a port that is free now is not taken by
# one of another worker, or of another suite on this machine, before its daemon binds it.
_RANGE = range(10_000, 32_000)
# Not the module's own generator: a test that seeds it would give all workers the same ports.
_CHANCE = random.SystemRandom()


def free_port() -> int:
    """Give a port that is free on both of localhost's addresses right now."""
    while True:
        port = _CHANCE.choice(_RANGE)
        with (
            contextlib.suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.socket(socket.AF_INET6) as six,
        ):
            six.bind(("::1", port))
            return port
