"""One forwarded connection: a data stream and the error stream that says what became of it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from llmgwd.tunnel.spdy import stream_end
from llmgwd.tunnel.spdy.stream_end import Data, Error
from llmgwd.tunnel.stream import MAX_ERROR_TEXT_BYTES, failure_from_text

if TYPE_CHECKING:
    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route import StreamOwner
    from llmgwd.tunnel.spdy.pressure import Lag
    from llmgwd.tunnel.spdy.streams import SpdyStreams


class SpdyStream:
    """The n-th pair of its tunnel, n from 0: the error stream is 4n + 1, the data stream 4n + 3.

    `data` and `error` are what the peer said of either, `is_finished` what we said; `owner` is None
    once no one waits for the answer. From `end_due_at` on, the peer's end is not waited for.
    """

    __slots__ = (
        "_streams",
        "data",
        "discarded_bytes",
        "end_due_at",
        "endpoint",
        "error",
        "error_text",
        "is_finished",
        "is_judged",
        "lag",
        "number",
        "owner",
    )

    def __init__(
        self, streams: SpdyStreams, endpoint: Endpoint, owner: StreamOwner, number: int
    ) -> None:
        self._streams = streams
        self.endpoint = endpoint
        self.owner: StreamOwner | None = owner
        self.number = number
        self.data = Data.OPENING
        self.error = Error.SILENT
        self.error_text = b""
        self.is_finished = False
        self.is_judged = False
        self.end_due_at = inf
        self.discarded_bytes = 0
        self.lag: Lag | None = None

    def add_words(self, payload: bytes) -> None:
        """Words came on the error stream."""
        self.error = stream_end.speak(self.error)
        self.error_text = (self.error_text + payload)[:MAX_ERROR_TEXT_BYTES]

    def failure(self) -> tuple[LlmgwError, bool]:
        """Return what those words mean, and whether they prove that no one received a byte."""
        text = self.error_text.decode(errors="replace").strip()
        return failure_from_text(text, stream_end.has_answered(self.data), self.pod)

    @property
    def error_id(self) -> int:
        return 4 * self.number + 1

    @property
    def data_id(self) -> int:
        return 4 * self.number + 3

    @property
    def pod(self) -> str:
        return self.endpoint.pod

    def send(self, payload: bytes) -> None:
        self._streams.send_data(self, payload)

    def finish(self) -> None:
        self._streams.finish(self)

    def discard(self) -> None:
        self._streams.discard(self)

    def reset(self) -> None:
        self._streams.reset(self)

    def pause(self) -> None:
        self._streams.pressure.pause(self)

    def resume(self) -> None:
        self._streams.pressure.resume(self)
