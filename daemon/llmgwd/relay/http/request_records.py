"""The record of requests: one entry for each, in a bounded ring, and for those that follow it.

An entry says which way a request went and how it ended. It never holds a body, a query string, or
a header other than those named here: the gateway's own words on model and cost, and the program
in User-Agent.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.rules import timestamps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from anyio.streams.memory import MemoryObjectSendStream

    from llmgwctl.wire import RequestOutcome, RequestRecord
    from llmgwd.net.http1_heads import Head

RING: Final = 1000
# A follower may fall this far behind before it is ended.
FOLLOWER_RECORDS: Final = 1000
MAX_PATH_CHARACTERS: Final = 256
_PRODUCT: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?")
_COST: Final = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?")
_MODEL: Final = re.compile(rb"[ -~]{1,200}")


class RequestRecords:
    """The last requests of one forward. `ended` are called with each record as it is made."""

    def __init__(self, forward: str, *ended: Callable[[RequestRecord], None]) -> None:
        self.forward = forward
        self._ended = ended
        self._seq = 0
        self._ring: deque[RequestRecord] = deque(maxlen=RING)
        self._followers: set[MemoryObjectSendStream[RequestRecord]] = set()

    def add(self, record: RequestRecord) -> None:
        self._seq += 1
        record["seq"] = self._seq
        self._ring.append(record)
        for ended in self._ended:
            ended(record)
        for send in list(self._followers):
            try:
                send.send_nowait(record)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                self._followers.discard(send)
                send.close()

    def since(self, time: str | None) -> list[RequestRecord]:
        """Give those that came at or after an instant (RFC 3339), the oldest first."""
        if time is None:
            return list(self._ring)
        since = timestamps.order(time)
        return [record for record in self._ring if timestamps.order(record["time"]) >= since]

    @contextlib.asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[RequestRecord]]:
        """Watch from now on. The iterator ends for a follower that falls behind."""
        send, receive = anyio.create_memory_object_stream["RequestRecord"](FOLLOWER_RECORDS)
        self._followers.add(send)
        try:
            async with receive:
                yield receive
        finally:
            self._followers.discard(send)
            send.close()


class RequestLog:
    """What is noted of one request while it goes on; `close` makes the record of it."""

    __slots__ = (
        "_began",
        "_head",
        "_path",
        "first_byte_s",
        "held_s",
        "is_closed",
        "pod",
        "received_bytes",
        "resent",
        "sent_bytes",
        "url",
    )

    def __init__(self, head: Head, path: bytes) -> None:
        self._head = head
        self._path = path
        self._began = time.monotonic()
        self.first_byte_s: float | None = None
        self.held_s = 0.0
        self.is_closed = False
        self.pod: str | None = None
        self.url: str | None = None
        self.received_bytes = 0
        self.resent = 0
        self.sent_bytes = 0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def close(
        self, forward: str, outcome: RequestOutcome, status: int | None, answer: Head | None
    ) -> RequestRecord:
        self.is_closed = True
        total_s = self.elapsed_s
        return {
            "seq": 0,  # given by the ring
            "time": timestamps.stamp(time.time() - total_s),
            "forward": forward,
            "method": self._head.first.partition(b" ")[0].decode("ascii", "replace"),
            "path": _text(self._path)[:MAX_PATH_CHARACTERS],
            "status": status,
            "outcome": outcome.value,
            "model": _model(answer),
            "cost": _cost(answer),
            "first_byte_s": _rounded(self.first_byte_s),
            "total_s": round(total_s, 6),
            "sent_bytes": self.sent_bytes,
            "received_bytes": self.received_bytes,
            "held_s": round(self.held_s, 6),
            "resent": self.resent,
            "pod": self.pod,
            "url": self.url,
            "program": _program(self._head),
            "kind": "http",
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _text(raw: bytes) -> str:
    return "".join(c if c.isprintable() else "�" for c in raw.decode("utf-8", "replace"))


def _program(head: Head) -> str | None:
    """The first product of User-Agent: `claude-cli/2.1` of a longer list."""
    product = _PRODUCT.match(head.first_of(b"user-agent") or b"")
    return product[0][:64].decode("ascii") if product else None


def _model(answer: Head | None) -> str | None:
    """The name that the gateway's configuration gives the model; its id is a hash for no one."""
    value = answer.first_of(b"x-litellm-model-group") if answer is not None else None
    return value.decode("ascii") if value is not None and _MODEL.fullmatch(value) else None


def _cost(answer: Head | None) -> float | None:
    """In US dollars. A streamed answer names none: it is known only when the stream has ended."""
    value = answer.first_of(b"x-litellm-response-cost") if answer is not None else None
    return float(value) if value is not None and _COST.fullmatch(value) else None
