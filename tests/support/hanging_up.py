"""A server that refuses a request and hangs up, at a moment that the test chooses."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n"
_PATIENCE_S = 10.0


class HangingUp:
    """Serves one connection in a thread, so that it can act while the test's loop stands still.

    `speaks_unasked`: it waits for no request.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, speaks_unasked: bool = False) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._tls = tls
        self._speaks_unasked = speaks_unasked
        self._is_time = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def refuse_and_reset(self) -> None:
        """Returns when both have arrived at the other end, which is on this machine."""
        self._is_time.set()
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with contextlib.closing(self._listening):
            accepted, _ = self._listening.accept()
        # Else the refusal may wait for the other's ACK, and the reset would drop it.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            accepted = self._tls.wrap_socket(accepted, server_side=True)
        if not self._speaks_unasked:
            accepted.recv(65536)
        self._is_time.wait(_PATIENCE_S)
        accepted.sendall(REFUSAL)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
