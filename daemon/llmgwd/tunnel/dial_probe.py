"""Asks a pod that refused a connection whether it takes one again, without sending it a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmgwd.tunnel.stream import OwnStream

if TYPE_CHECKING:
    from llmgwd.cluster.pods import Endpoint
    from llmgwd.errors import LlmgwError
    from llmgwd.tunnel.tunnel import Tunnel

# SPDY has no word for "the pod was reached". A refusal comes within a round trip and the dial,
# which is local to the pod's node; silence for this long on top of a round trip is a yes.
SILENCE_MEANS_YES_S: Final = 0.15
# A pod that refused is asked again this soon, and then this often.
REST_S: Final = 0.25
REST_LONG_S: Final = 1.0
REST_LONG_AFTER: Final = 20


class DialProbe(OwnStream):
    """The owner of streams that carry nothing; one at a time, for one endpoint."""

    def __init__(self, endpoint: Endpoint, now: float) -> None:
        self.endpoint = endpoint
        self._tries = 0
        self._due_at = now + REST_S
        self._yes_at: float | None = None

    def is_due(self, now: float) -> bool:
        return self._stream is None and now >= self._due_at

    def has_succeeded(self, now: float) -> bool:
        return self._stream is not None and self._yes_at is not None and now >= self._yes_at

    def tried(self, now: float) -> None:
        """A tunnel is dialled, or a stream opened, to find out; not again before a rest."""
        self._tries += 1
        self._due_at = now + (REST_S if self._tries < REST_LONG_AFTER else REST_LONG_S)

    def ask(self, tunnel: Tunnel, now: float) -> None:
        self.tried(now)
        self._yes_at = now + SILENCE_MEANS_YES_S + (tunnel.round_trip_s or 0.0)
        tunnel.open(self)

    # As the owner of a stream.

    def stream_data(self, payload: bytes) -> None:
        """It even greets."""
        self._yes_at = 0.0

    def stream_ended(self) -> None:
        self._stream = None

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        self._stream = None
