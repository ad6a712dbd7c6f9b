"""The route to a gateway behind an https (or http) URL: checked now and then, asked for streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio
from tenacity import wait_random_exponential

from llmgwctl.wire import RouteKind, RouteStatus
from llmgwd.direct.address import parse_url
from llmgwd.direct.check import check
from llmgwd.direct.pool import UpstreamPool
from llmgwd.direct.rewrite import client_response, upstream_request
from llmgwd.direct.upstream import UpstreamDialer
from llmgwd.errors import LlmgwError
from llmgwd.relay.http.kept_request import origin_form
from llmgwd.relay.route_events import RouteLost
from llmgwd.system.backoff import RetryWait
from llmgwd.system.wakeup import Wakeup
from llmgwd.telemetry import wall_time

if TYPE_CHECKING:
    from llmgwd.config import model
    from llmgwd.net.http1_heads import Head, RequestLine
    from llmgwd.relay.route import Stream, StreamOwner
    from llmgwd.relay.route_events import RouteEvents

CHECK_EVERY_S: Final = 10.0
# A single check may fall into a moment of no network; it is asked again before the route is down.
DOUBT_S: Final = 0.5
# Full jitter, but never at once: many daemons may have lost the same gateway.
RETRY_WAIT: Final = RetryWait((LlmgwError, wait_random_exponential(min=0.25, max=5.0)))


class UrlRoute:
    """One `model.UrlRoute`, kept up for as long as `run` runs.

    Raises:
        ConfigError: from the constructor, for a URL that is none.
    """

    kind = RouteKind.URL
    carries_raw = False
    last_resort = None

    def __init__(self, config: model.UrlRoute, events: RouteEvents) -> None:
        self.config = config
        self.is_up = False
        self.since = anyio.current_time()
        self.since_text = wall_time.now()
        self.attempts = 0
        self.retry_at: float | None = None
        self._address = parse_url(config.url)
        self._dialer = UpstreamDialer(self._address)
        self._pool = UpstreamPool(self._dialer, self._dial_failed)
        self._events = events
        self._problem: LlmgwError | None = None
        self._is_retired = False
        self._wakeup = Wakeup()

    @property
    def name(self) -> str:
        return str(self._address)

    @property
    def is_carrying(self) -> bool:
        return self._pool.is_carrying

    def problems(self) -> list[LlmgwError]:
        return [] if self._problem is None or self.is_up else [self._problem]

    # As a route of the relay.

    def open(self, owner: StreamOwner) -> None:
        self._pool.open(owner)

    def withdraw(self, owner: StreamOwner) -> None:
        self._pool.withdraw(owner)

    def refused(self, stream: Stream, cause: LlmgwError) -> None:
        """There are no pods to choose from."""

    def request_head(self, head: Head, line: RequestLine) -> Head:
        return upstream_request(head, line, origin_form(line.target), self._address)

    def response_head(self, head: Head) -> Head:
        return client_response(head, self._address)

    # As the forward supervises it.

    def retry_now(self) -> None:
        """Something changed (woken, another network): check at once, trust nothing made ahead."""
        self._pool.drop_warm()
        self.attempts = 0
        self._wakeup.set()

    async def check_all(self) -> None:
        self.retry_now()

    def forget_login(self) -> None:
        """There is none: each request brings its own key."""

    def retire(self) -> None:
        """Take nothing new; what is carried goes on until `run` is cancelled."""
        self._is_retired = True
        self._pool.drop_warm()
        self._wakeup.set()

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._pool.run)
                tasks.start_soon(self._keep_checking)
        finally:
            self.is_up = False

    async def _keep_checking(self) -> None:
        while not self._is_retired:
            await self._wakeup.wait(await self._check_once())
        await anyio.sleep_forever()

    async def _check_once(self) -> float:
        """Check, report, and give the seconds until the next check."""
        error = await check(self._dialer)
        if error is None:
            self._went_up()
            return CHECK_EVERY_S
        if self.is_up and self.attempts == 0:
            self.attempts = 1
            return DOUBT_S
        self._failed(error)
        return max(0.0, (self.retry_at or 0.0) - anyio.current_time())

    def _went_up(self) -> None:
        self.attempts, self.retry_at = 0, None
        if not self.is_up:
            self.is_up = True
            self._mark()

    def _dial_failed(self, error: LlmgwError) -> None:
        """A client's request found it out: the next check is due now, not when it was."""
        self._failed(error)
        self._wakeup.set()

    def _failed(self, error: LlmgwError) -> None:
        """Take note of a check or a dial that failed."""
        self._problem = error
        self.attempts += 1
        self.retry_at = anyio.current_time() + RETRY_WAIT(error, self.attempts)
        if self.is_up:
            self.is_up = False
            self._mark()
            self._events.record(RouteLost(self, error))
        else:
            self._events.changed()

    def _mark(self) -> None:
        self.since, self.since_text = anyio.current_time(), wall_time.now()
        self._events.changed()

    def status(self, clock: Callable[[float], str], *, is_active: bool) -> RouteStatus:
        """`clock` turns the loop's time into a written one."""
        return {
            "kind": self.kind.value,
            "name": self.name,
            "is_up": self.is_up,
            "is_active": is_active,
            "context": None,
            "cluster": None,
            "namespace": None,
            "target": None,
            "port": None,
            "way": None,
            "pods": [],
            "tunnels": None,
            "since": self.since_text,
            "attempts": self.attempts,
            "retry_at": None if self.retry_at is None or self.is_up else clock(self.retry_at),
            "round_trip_s": None,
        }
