"""The connections to one URL: made ahead while clients come, one for each request.

A TLS handshake takes two round trips; a connection made ahead has them behind it, so that a request
reaches the gateway in one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.errors import LlmgwError, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from llmgwd.direct.upstream import Upstream, UpstreamDialer
    from llmgwd.relay.route import StreamOwner

# Kept ready after a request; more while several come within the time that one is kept.
WARM: Final = 2
WARM_IN_USE: Final = 8
IN_USE_REQUESTS: Final = 3
# So long after the last request connections are made ahead.
USED_LATELY_S: Final = 15.0
# Shorter than the time any common ingress gives a new connection to send its first request
# (HAProxy's examples have 5 s), so that none is closed on us while we write to it.
WARM_FOR_S: Final = 4.0


class UpstreamPool:
    """Opens streams for their owners. `dial_failed` is called before an owner is told of it, so
    that the route is down by then, and the forward does not lead the owner here again.
    """

    def __init__(self, dialer: UpstreamDialer, dial_failed: Callable[[LlmgwError], None]) -> None:
        self._dialer = dialer
        self._dial_failed = dial_failed
        self._used: set[Upstream] = set()
        self._warm: list[Upstream] = []
        self._warming = 0
        self._waiting: set[StreamOwner] = set()
        self._asked_at: deque[float] = deque(maxlen=IN_USE_REQUESTS)
        self._clock = asyncio.get_running_loop().time
        self._tasks: TaskGroup | None = None

    @property
    def is_carrying(self) -> bool:
        return bool(self._used or self._waiting)

    async def run(self) -> NoReturn:
        """Dial for owners; cancelling it ends what is carried."""
        try:
            async with anyio.create_task_group() as self._tasks:
                await anyio.sleep_forever()
        finally:
            self._tasks = None
            self.drop_warm()
            cause = Transient(ConditionKind.URL_UNREACHABLE, "The route was closed.")
            for upstream in tuple(self._used):
                upstream.fail(cause)
        raise AssertionError("unreachable")

    def open(self, owner: StreamOwner) -> None:
        if self._tasks is None:
            cause = Transient(ConditionKind.URL_UNREACHABLE, "The route is not running.")
            owner.stream_failed(cause, True)
            return
        if owner.is_demand:
            self._asked_at.append(self._clock())
        upstream = self._take_warm()
        if upstream is not None:
            self._join(owner, upstream)
        else:
            self._waiting.add(owner)
            self._tasks.start_soon(self._dial_for, owner)
        if owner.is_demand:
            self._make_ahead()

    def withdraw(self, owner: StreamOwner) -> None:
        self._waiting.discard(owner)

    def drop_warm(self) -> None:
        """Trust nothing that was made ahead: the network is another."""
        for upstream in self._warm:
            upstream.reset()
        self._warm = []

    async def _dial_for(self, owner: StreamOwner) -> None:
        try:
            upstream = await self._dialer.dial(self._used.discard)
        except LlmgwError as error:
            if owner in self._waiting:
                self._waiting.discard(owner)
                self._dial_failed(error)
                owner.stream_failed(error, True)
            return
        if owner in self._waiting:
            self._waiting.discard(owner)
            self._join(owner, upstream)
        else:
            # Its client has left meanwhile: the next one may have it.
            self._warm.append(upstream)

    def _join(self, owner: StreamOwner, upstream: Upstream) -> None:
        self._used.add(upstream)
        upstream.take(owner)

    # Connections made ahead.

    def _take_warm(self) -> Upstream | None:
        self._sweep()
        return self._warm.pop() if self._warm else None

    def _wanted(self) -> int:
        now = self._clock()
        if not self._asked_at or now - self._asked_at[-1] > USED_LATELY_S:
            return 0
        is_in_use = len(self._asked_at) == IN_USE_REQUESTS and now - self._asked_at[0] < WARM_FOR_S
        return WARM_IN_USE if is_in_use else WARM

    def _make_ahead(self) -> None:
        while self._tasks is not None and len(self._warm) + self._warming < self._wanted():
            self._warming += 1
            self._tasks.start_soon(self._warm_one)

    async def _warm_one(self) -> None:
        """Make one connection ahead, and another in its place while clients keep coming."""
        try:
            upstream = await self._dialer.dial(self._used.discard)
        except LlmgwError:
            # No one waits for it; the next request dials and reports.
            return
        finally:
            self._warming -= 1
        self._warm.append(upstream)
        await anyio.sleep(WARM_FOR_S)
        self._sweep()
        self._make_ahead()

    def _sweep(self) -> None:
        """Close what is too old to be written to, forget what the server has closed."""
        oldest = self._clock() - WARM_FOR_S
        for upstream in self._warm:
            if upstream.dialled_at <= oldest:
                upstream.close()
        self._warm = [
            upstream
            for upstream in self._warm
            if upstream.dialled_at > oldest and not upstream.is_closed
        ]
