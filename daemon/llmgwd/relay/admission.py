"""Where a forward's connections arrive: carried, held, or answered with the reason why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmgwctl.wire import EventKind
from llmgwd.gateway.unavailable import refusal
from llmgwd.relay.counters import ForwardCounters
from llmgwd.relay.hold import HoldQueue
from llmgwd.telemetry.event_batch import EventBatch, Flush
from llmgwd.telemetry.timings import Timing

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.connection import LocalConnection
    from llmgwd.relay.route import Route

# A connection that a route gave back although it is up is not thrown at it again at once.
RELEASE_DELAY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nothing can carry a connection, for the answer to its client."""

    code: str
    message: str
    remedy: str
    retry_after_s: int
    needs_person: bool


class AdmissionQueue:
    """The `Admission` of one forward. `route` gives who carries now, or None: hold."""

    def __init__(
        self,
        route: Callable[[], Route | None],
        reason: Callable[[], Reason],
        flush: Flush,
        time: Callable[[Timing, float], None],
        hold_s: float,
        hold_limit: int,
    ) -> None:
        self.counters = ForwardCounters()
        self.hold = HoldQueue(hold_s, hold_limit, self._expire)
        self.is_refusing = False  # stopped, or about to end: nobody is held
        self._route = route
        self._reason = reason
        self._time = time
        self._batch = EventBatch(flush)
        self._carried: set[LocalConnection] = set()
        self._is_breathing = False

    @property
    def streams(self) -> int:
        return len(self._carried)

    def is_carrying(self) -> bool:
        """Say whether more is to come for a client; whom the end was told may take its time."""
        return any(not connection.is_done for connection in self._carried)

    # As the admission.

    def admit(self, connection: LocalConnection, cause: LlmgwError | None) -> None:
        self._carried.discard(connection)
        route = None if self.is_refusing else self._route()
        if route is not None and cause is None:
            self._carry(route, connection)
        elif self.is_refusing or not self.hold.add(connection):
            self._refuse(connection)
        else:
            self.counters.held += 1
            if route is not None:
                self._release_soon()

    def closed(self, connection: LocalConnection) -> None:
        self._carried.discard(connection)
        self.hold.remove(connection)

    def redialed(self, connection: LocalConnection, cause: LlmgwError) -> None:
        self.counters.redialed += 1
        self._batch.add(EventKind.CONNECTION_REDIALED, cause)

    def cut(self, connection: LocalConnection, cause: LlmgwError) -> None:
        self.counters.cut += 1
        self._batch.add(EventKind.CONNECTION_CUT, cause)

    # As the forward's.

    def reconfigure(self, hold_s: float, hold_limit: int) -> None:
        """Hold so long, and so many, from now on; what is held already keeps its time."""
        self.hold.hold_s, self.hold.limit = hold_s, hold_limit

    def release(self) -> int:
        """Carry all that wait, if something can; say how many."""
        route = self._route()
        if route is None:
            return 0
        waiting = self.hold.release()
        now = asyncio.get_running_loop().time()
        for connection in waiting:
            self._time(Timing.HOLD, now - connection.opened_at)
            self._carry(route, connection)
        return len(waiting)

    def refuse_held(self) -> None:
        for connection in self.hold.release():
            self._refuse(connection)

    def tell(self) -> None:
        """Let no count wait for its event."""
        self._batch.tell()

    # Inside.

    def _carry(self, route: Route, connection: LocalConnection) -> None:
        self._carried.add(connection)
        route.carry(connection)

    def _release_soon(self) -> None:
        if not self._is_breathing:
            self._is_breathing = True
            asyncio.get_running_loop().call_later(RELEASE_DELAY_S, self._release_later)

    def _release_later(self) -> None:
        self._is_breathing = False
        self.release()

    def _expire(self, connection: LocalConnection) -> None:
        self.counters.hold_expired += 1
        self._batch.add(EventKind.HOLD_EXPIRED, None)
        self._refuse(connection)

    def _refuse(self, connection: LocalConnection) -> None:
        self.counters.failed += 1
        reason = self._reason()
        connection.answer(
            refusal(
                connection.first_bytes,
                reason.code,
                reason.message,
                reason.remedy,
                reason.retry_after_s,
                needs_person=reason.needs_person,
            )
        )
