"""Requests to the control API, well-formed ones and raw bytes."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from llmgwctl.api.transport import Answer, request

if TYPE_CHECKING:
    from support.client.plain_daemon import Served


def ask(served: Served, method: str, target: str) -> Answer:
    return request(served.path, method, target)


def raw(served: Served, sent: bytes) -> bytes:
    """Say anything and give all that is answered until the connection ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(served.path)
        # Who is refused at the door may find it closed already, and the answer there.
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(sent)
        received = b""
        # Who is shown the door with a request unread is told so by a reset after the answer.
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return received
