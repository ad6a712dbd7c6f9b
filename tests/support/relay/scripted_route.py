"""A route whose servers the test plays: what they hear is in plain sight, what they say is said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from llmgwctl.wire import ConditionKind, RouteKind
from llmgwd.errors import Transient
from llmgwd.net.http1_heads import Head, RequestLine, forwarded_request
from support.relay.relay_front import until

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.route import Stream, StreamOwner

LOST = Transient(ConditionKind.TUNNEL_LOST, "The connection to the cluster broke.")
REFUSED = Transient(ConditionKind.DIAL_REFUSED, "The pod refused the connection.")


class ServedStream:
    """One stream, from both sides: the relay's (as `Stream`) and the server's."""

    def __init__(self, owner: StreamOwner, pod: str) -> None:
        self.pod = pod
        self.owner = owner
        self.heard = b""
        self.end = ""  # how the relay ended it: "finished", "discarded" or "reset"
        self.is_paused = False
        self.is_over = False  # the server's side has ended

    # The relay's side.

    def send(self, payload: bytes) -> None:
        assert not self.end
        if not self.is_over:
            self.heard += payload

    def finish(self) -> None:
        self.end = self.end or "finished"

    def discard(self) -> None:
        self.end = self.end or "discarded"

    def reset(self) -> None:
        self.end = self.end or "reset"

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    # The server's side.

    async def head(self) -> bytes:
        """The head of what was asked, without the empty line."""
        await until(lambda: b"\r\n\r\n" in self.heard)
        return self.heard.partition(b"\r\n\r\n")[0]

    async def body(self, until_mark: bytes) -> bytes:
        await until(lambda: self.heard.partition(b"\r\n\r\n")[2].endswith(until_mark))
        return self.heard.partition(b"\r\n\r\n")[2]

    def say(self, payload: bytes) -> None:
        if not (self.end or self.is_over):
            self.owner.stream_data(payload)

    def close(self) -> None:
        """The pod's end: all was said."""
        if not (self.end or self.is_over):
            self.is_over = True
            self.owner.stream_ended()

    def fail(self, cause: LlmgwError = LOST, *, is_unreceived: bool = False) -> None:
        if not (self.end or self.is_over):
            self.is_over = True
            self.owner.stream_failed(cause, is_unreceived)


Serve = Callable[[ServedStream], Awaitable[None]]


class ScriptedRoute:
    """Gives each owner a stream at once, or (`has_room` False) keeps it in line."""

    kind = RouteKind.KUBERNETES
    name = "scripted"

    def __init__(self, serve: Serve | None = None) -> None:
        self.is_up = True
        self.has_room = True
        self.carries_raw = True
        self.names_pods = True
        self.streams: list[ServedStream] = []
        self.waiting: list[StreamOwner] = []
        self.refusals: list[LlmgwError] = []
        self._serve = serve
        self._serving: set[asyncio.Task[None]] = set()

    def open(self, owner: StreamOwner) -> None:
        if not self.has_room:
            self.waiting.append(owner)
            return
        # So many that a preferred or avoided one can be told from the others.
        pod = f"pod-{len(self.streams)}" if self.names_pods else None
        stream = ServedStream(owner, pod)
        stream.heard = owner.unsent(pod)
        self.streams.append(stream)
        owner.stream_opened(stream)
        if self._serve is not None:
            task = asyncio.ensure_future(self._serve(stream))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    def withdraw(self, owner: StreamOwner) -> None:
        if owner in self.waiting:
            self.waiting.remove(owner)

    def refused(self, stream: Stream, cause: LlmgwError) -> None:
        self.refusals.append(cause)

    def request_head(self, head: Head, line: RequestLine) -> Head:
        return forwarded_request(head, line, line.target)

    def response_head(self, head: Head) -> Head:
        return head

    # For tests.

    def make_room(self) -> None:
        self.has_room = True
        waiting, self.waiting = self.waiting, []
        for owner in waiting:
            self.open(owner)

    async def stream(self, number: int = 0) -> ServedStream:
        """The stream that was opened as the so many-th."""
        await until(lambda: len(self.streams) > number)
        return self.streams[number]

    def up(self) -> ScriptedRoute | None:
        return self if self.is_up else None
