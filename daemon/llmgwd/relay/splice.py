"""Joins one local connection to one stream of a tunnel, and decides how each end ends the other.

What the client sent is kept until the first byte comes back: a failure that proves that nobody
received it leads to another try (another pod, or the hold), one that does not closes the client's
connection as a broken upstream would. Nothing is ever sent twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmgwctl.wire import ConditionKind

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.connection import LocalConnection
    from llmgwd.relay.route import Admission
    from llmgwd.tunnel.pool import TunnelPool
    from llmgwd.tunnel.stream import TunnelStream

# What is kept for another try. A request with more than this on the way cannot be tried again.
KEPT_BYTES: Final = 1024 * 1024
# Refusals in a row, over all pods, before the forward is asked again.
TRIES: Final = 4


class Splice:
    """One try at carrying a connection; made by `carry`."""

    def __init__(self, connection: LocalConnection, pool: TunnelPool, admission: Admission) -> None:
        self._connection = connection
        self._pool = pool
        self._admission = admission
        self._kept: list[bytes] | None = connection.sent
        self._kept_bytes = sum(map(len, connection.sent))
        self._stream: TunnelStream | None = None
        self._has_answered = False
        self._tries = 0
        self.is_demand = not connection.is_probe

    def start(self) -> None:
        """Get in line for a stream. Until there is one, the client may fill `unsent` a little."""
        self._connection.attach(self)
        self._tries += 1
        self._pool.open(self)

    # As the owner of a stream.

    def unsent(self) -> bytes:
        assert self._kept is not None
        return b"".join(self._kept)

    def stream_opened(self, stream: TunnelStream) -> None:
        self._stream = stream
        if self._connection.is_closed:
            stream.discard()
            return
        self._connection.resume_reading()

    def stream_data(self, payload: bytes) -> None:
        if not self._has_answered:
            self._has_answered = True
            self._forget_kept()
        self._connection.write(payload)

    def stream_ended(self) -> None:
        stream, self._stream = self._stream, None
        self._connection.write_eof()
        if stream is not None:
            stream.finish()

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        stream, self._stream = self._stream, None
        if self._connection.is_closed:
            return
        if not is_unreceived or self._has_answered or self._kept is None:
            self._cut(cause)
            return
        if stream is not None:
            if self.is_demand:
                self._admission.redialed(self._connection, cause)
            if cause.code == ConditionKind.DIAL_REFUSED:
                self._pool.refused(stream.endpoint, cause)
            if self._pool.is_up and self._tries < TRIES:
                self.start()
                return
        self._give_back(cause)

    def unread_bytes(self) -> int:
        return self._connection.unread_bytes()

    def pause_sending(self) -> None:
        self._connection.pause_reading()

    def resume_sending(self) -> None:
        self._connection.resume_reading()

    # As the carrier of a connection.

    def client_sent(self, payload: bytes) -> None:
        if self._kept is not None:
            self._keep(payload)
        if self._stream is not None:
            self._stream.send(payload)

    def client_finished(self) -> None:
        """Keep the FIN back: the gateway would drop its answer (uvicorn does, at once)."""

    def client_gone(self, is_reset: bool) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            self._pool.withdraw(self)
        elif is_reset:
            stream.reset()
        else:
            stream.discard()

    def client_stalled(self) -> None:
        if self._stream is not None:
            self._stream.pause()

    def client_reads_again(self) -> None:
        if self._stream is not None:
            self._stream.resume()

    # Inside.

    def _keep(self, payload: bytes) -> None:
        assert self._kept is not None
        self._kept_bytes += len(payload)
        if self._stream is None:
            # Still in line: the bytes go with the opening.
            self._kept.append(payload)
            if self._kept_bytes >= KEPT_BYTES // 2:
                self._connection.pause_reading()
        elif self._kept_bytes > KEPT_BYTES:
            self._forget_kept()
        else:
            self._kept.append(payload)

    def _forget_kept(self) -> None:
        self._kept = None
        self._connection.sent = []

    def _cut(self, cause: LlmgwError) -> None:
        if self.is_demand:
            self._admission.cut(self._connection, cause)
        self._connection.abort()

    def _give_back(self, cause: LlmgwError) -> None:
        self._connection.give_back(cause)


def carry(connection: LocalConnection, pool: TunnelPool, admission: Admission) -> None:
    """Carry a connection over one of the pool's tunnels; it ends or comes back by itself."""
    Splice(connection, pool, admission).start()
