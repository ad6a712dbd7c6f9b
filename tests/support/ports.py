"""Ports for tests to listen on."""

from __future__ import annotations

import contextlib
import socket


def free_port() -> int:
    """Give a port that is free on both of localhost's addresses right now."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as four:
            port: int = four.getsockname()[1]
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as six:
                six.bind(("::1", port))
                return port
