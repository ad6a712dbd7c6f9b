"""The daemon's own questions: a reader and a writer over one stream of a route."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from llmgwd.errors import LlmgwError
from llmgwd.net.http1_heads import parse_head, request_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.gateway.answer import Reader, Writer
    from llmgwd.net.http1_heads import Head, RequestLine
    from llmgwd.relay.route import Route, Stream

# What came and was not read yet; the peer may send faster than its answer is looked at.
MAX_WAITING_BYTES: Final = 2 << 20


class ByteStream:
    """The owner of a stream, with a reader and a writer for it: what is written goes out with the
    opening or after it.
    """

    is_demand = False
    avoided_pod = None

    def __init__(
        self, rewrite: Callable[[bytes], bytes] = bytes, preferred_pod: str | None = None
    ) -> None:
        self.is_closed = False
        self.preferred_pod = preferred_pod
        self.pod: str | None = None  # that it leads to, once it is open
        self._rewrite = rewrite
        self._written: list[bytes] = []
        self._stream: Stream | None = None
        self._rest = memoryview(b"")  # of what was taken out of `_came`
        self._waiting_bytes = 0
        self._came: asyncio.Queue[bytes | LlmgwError] = asyncio.Queue()

    # As reader and writer.

    async def read(self, n: int = -1, /) -> bytes:
        """Give what came, at most `n` bytes of it, b"" at the end.

        Raises:
            LlmgwError: the stream failed, or none could be had.
        """
        if not self._rest:
            came = await self._came.get()
            if isinstance(came, LlmgwError):
                raise came
            self._rest = memoryview(came)
        size = len(self._rest) if n < 0 else n
        given, self._rest = bytes(self._rest[:size]), self._rest[size:]
        self._waiting_bytes -= len(given)
        return given

    def write(self, data: bytes, /) -> None:
        if self._stream is not None:
            self._stream.send(data)
        else:
            self._written.append(data)

    def close(self) -> None:
        self.is_closed = True
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.discard()

    # As the owner of a stream.

    def unsent(self, pod: str | None) -> bytes:
        written = b"".join(self._written)
        return self._rewrite(written) if written else b""

    def stream_opened(self, stream: Stream) -> None:
        if self.is_closed:
            stream.discard()
        else:
            self._stream, self.pod = stream, stream.pod

    def stream_data(self, payload: bytes) -> None:
        self._waiting_bytes += len(payload)
        self._came.put_nowait(payload)
        if self._waiting_bytes > MAX_WAITING_BYTES and self._stream is not None:
            # No answer to a question of ours is as long: what has come of it has to do.
            stream, self._stream = self._stream, None
            stream.discard()
            self._came.put_nowait(b"")

    def stream_ended(self) -> None:
        self._came.put_nowait(b"")

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        self._stream = None
        self._came.put_nowait(cause)

    def unread_bytes(self) -> int:
        return 0

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...


async def connect_through(route: Route) -> tuple[Reader, Writer]:
    """Open a byte stream through a route, for one HTTP request; close the writer to end it."""
    stream = open_through(route)
    return stream, stream


def open_through(route: Route, preferred_pod: str | None = None) -> ByteStream:
    """As `connect_through`, to this pod if a tunnel to it can carry a stream."""
    stream = ByteStream(lambda written: rewritten(written, route.request_head), preferred_pod)

    def open_stream() -> None:
        if not stream.is_closed:
            route.open(stream)

    # A moment later, so that the question travels with the opening, as a client's would.
    asyncio.get_running_loop().call_soon(open_stream)
    return stream


def rewritten(request: bytes, rewrite: Callable[[Head, RequestLine], Head]) -> bytes:
    """Give a request without a body, in one piece, as it goes over a route."""
    head = parse_head(request.removesuffix(b"\r\n\r\n"))
    return rewrite(head, request_line(head)).raw()
