"""Where requests and raw connections arrive: carried, held, or answered with the reason why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from llmgwctl.wire import EventKind
from llmgwd.relay.hold import HoldQueue
from llmgwd.telemetry.event_batch import EventBatch, Report
from llmgwd.telemetry.timings import Timing

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.relay.counters import ForwardCounters
    from llmgwd.relay.route import Carried, Route

# What a route sent back although it is up is not given to it again at once.
RELEASE_DELAY_S: Final = 0.1


class AdmissionQueue:
    """The `Admission` of one forward. `route` gives the route that carries now, or None: hold."""

    def __init__(
        self,
        route: Callable[[], Route | None],
        counters: ForwardCounters,
        flush: Report,
        time: Callable[[Timing, float], None],
        hold_s: float,
        hold_limit: int,
    ) -> None:
        self.hold = HoldQueue(hold_s, hold_limit, self._expire)
        self.is_refusing = False  # stopped: nothing is carried or held
        self.is_draining = False  # about to end: what can be carried is, nothing is held
        self._counters = counters
        self._route = route
        self._time = time
        self._batch = EventBatch(flush)
        self._carried: set[Carried] = set()
        self._is_releasing = False

    @property
    def streams(self) -> int:
        """Exchanges and raw connections that a route carries now."""
        return len(self._carried)

    @property
    def carried(self) -> frozenset[Carried]:
        return frozenset(self._carried)

    # As the admission.

    def admit(self, carried: Carried, cause: LlmgwError | None) -> None:
        self._carried.discard(carried)
        route = None if self.is_refusing else self._route()
        if route is not None and cause is None:
            self._carry(route, carried)
        elif self._holds_none(route) or not self.hold.add(carried):
            self._give_up(carried)
        else:
            self._counters.held += 1
            if route is not None:
                self._release_soon()

    def ended(self, carried: Carried) -> None:
        self._carried.discard(carried)
        self.hold.remove(carried)

    def resent(self, cause: LlmgwError) -> None:
        self._counters.redialed += 1
        self._batch.add(EventKind.CONNECTION_REDIALED, cause)

    def cut(self, cause: LlmgwError) -> None:
        self._counters.cut += 1
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
        for carried, held_s in waiting:
            self._time(Timing.HOLD, held_s)
            carried.was_held(held_s)
            self._carry(route, carried)
        return len(waiting)

    def give_up_held(self) -> None:
        """Answer all that wait with the reason why nothing carries them."""
        for carried, held_s in self.hold.release():
            carried.was_held(held_s)
            self._give_up(carried)

    def flush_events(self) -> None:
        """Let no count wait for its event."""
        self._batch.flush()

    # Inside.

    def _holds_none(self, route: Route | None) -> bool:
        return self.is_refusing or (self.is_draining and route is None)

    def _carry(self, route: Route, carried: Carried) -> None:
        self._carried.add(carried)
        carried.carry(route)

    def _release_soon(self) -> None:
        if not self._is_releasing:
            self._is_releasing = True
            asyncio.get_running_loop().call_later(RELEASE_DELAY_S, self._release_later)

    def _release_later(self) -> None:
        self._is_releasing = False
        self.release()

    def _expire(self, carried: Carried) -> None:
        self._counters.hold_expired += 1
        self._batch.add(EventKind.HOLD_EXPIRED, None)
        self._give_up(carried)

    def _give_up(self, carried: Carried) -> None:
        self._counters.failed += 1
        carried.give_up()
