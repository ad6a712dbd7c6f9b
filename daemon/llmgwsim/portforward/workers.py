"""moby/spdystream's five workers: which frame is handled when, and what a stalled one holds up.

A frame belongs to the worker of its stream (stream id mod 5), each with a queue of 50. A frame that
cannot be handled yet blocks its worker; a full queue blocks the reading of the connection, and so
every stream on it. SPDY as Kubernetes uses it has no flow control that would prevent that.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llmgwd.protocol import spdy

WORKERS = 5
QUEUE_FRAMES = 50


class Workers:
    """`handle` takes one frame, and is False when it must wait; `pause` stops the reading."""

    def __init__(self, handle: Callable[[spdy.Frame], bool], pause: Callable[[bool], None]) -> None:
        self._handle = handle
        self._pause = pause
        self._backlog: deque[spdy.Frame] = deque()
        self._queues: list[deque[spdy.Frame]] = [deque() for _ in range(WORKERS)]
        self._next_ping_worker = 0
        self._is_pumping = False

    def put(self, frames: Iterable[spdy.Frame]) -> None:
        """Take frames in the order in which they came, and handle what can be."""
        self._backlog.extend(frames)
        if not self._is_pumping:
            self._pump(None)

    def put_first(self, frame: spdy.Frame) -> None:
        """Put a frame before all that wait; from within `handle`."""
        self._backlog.appendleft(frame)

    def unblock(self, stream_id: int) -> None:
        """A stream's reader takes bytes again: let its worker go on."""
        if not self._is_pumping:
            self._pump(stream_id % WORKERS)

    def turn_ping(self) -> None:
        """Pings go round the workers, so a blocked worker keeps one in five for itself."""
        self._next_ping_worker = (self._next_ping_worker + 1) % WORKERS

    def _pump(self, first: int | None) -> None:
        self._is_pumping = True
        try:
            if first is not None:
                self._work(first)
            self._distribute()
        finally:
            self._is_pumping = False

    def _distribute(self) -> None:
        while self._backlog:
            number = self._worker_of(self._backlog[0])
            queue = self._queues[number]
            if len(queue) >= QUEUE_FRAMES:
                self._pause(True)
                return
            queue.append(self._backlog.popleft())
            self._work(number)
        self._pause(False)

    def _worker_of(self, frame: spdy.Frame) -> int:
        stream_id = getattr(frame, "stream_id", 0)
        return stream_id % WORKERS if stream_id else self._next_ping_worker

    def _work(self, number: int) -> None:
        queue = self._queues[number]
        while queue and self._handle(queue[0]):
            queue.popleft()
