"""The url route: whether it is up, its few connections made ahead, and who uses it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import anyio
from tenacity import wait_random_exponential

from llmgwctl.wire import ConditionKind, RouteKind
from llmgwd.direct.check import check
from llmgwd.direct.exchange import Client, Exchange
from llmgwd.direct.rewrite import parse_url
from llmgwd.direct.upstream import Upstream, UpstreamDialer
from llmgwd.errors import LlmgwError, Transient
from llmgwd.system.backoff import RetryWait
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from typing import NoReturn

CHECK_EVERY_S: Final = 10.0
# A single check may fall into a moment of no network; it is asked again before the route is down.
DOUBT_S: Final = 0.5
# Full jitter, but never at once: many daemons may have lost the same gateway.
RETRY_WAIT: Final = RetryWait((LlmgwError, wait_random_exponential(min=0.25, max=5.0)))
# Connections made ahead save the TLS handshake; they exist only while clients come.
WARM: Final = 2
IN_USE_S: Final = 15.0
# Shorter than the time any common ingress gives a new connection to send its first request
# (HAProxy's examples have 5 s), so that none is closed on us while we write to it.
WARM_FOR_S: Final = 4.0
# The daemon's own questions come every few seconds and must not keep connections made ahead alive.
_OWN_QUESTION: Final = b"\r\nUser-Agent: llmgwd\r\n"


class RouteObserver(Protocol):
    """Who is told of the route's ups and downs; calls come from the event loop."""

    def up(self) -> None: ...

    def down(self, cause: LlmgwError) -> None: ...

    def dial_failed(self, error: LlmgwError, attempts: int, retry_in_s: float) -> None:
        """A check or dial failed, the n-th in a row."""

    def cut(self, connection: Client, cause: LlmgwError) -> None:
        """A client is reset, because its request may have been received and had no whole answer."""


class UrlRoute:
    """Carries local connections to one URL.

    Raises:
        ConfigError: from the constructor, for a URL that is none.
    """

    def __init__(self, url: str, observer: RouteObserver) -> None:
        self._address = parse_url(url)
        self._dialer = UpstreamDialer(self._address)
        self._observer = observer
        self._is_up = False
        self._failures = 0
        self._exchanges: set[Exchange] = set()
        self._warm: list[Upstream] = []
        self._warming = 0
        self._used_at = float("-inf")
        self._wakeup = Wakeup()
        # asyncio's own, because connections come from callbacks, outside of any task.
        self._group: asyncio.TaskGroup | None = None

    @property
    def kind(self) -> RouteKind:
        return RouteKind.URL

    @property
    def name(self) -> str:
        return str(self._address)

    @property
    def is_up(self) -> bool:
        return self._is_up

    @property
    def streams(self) -> int:
        """Local connections it carries now."""
        return len(self._exchanges)

    def carry(self, connection: Client) -> None:
        """Carry a connection, over a new connection to the URL that nobody else uses."""
        if self._group is None:
            connection.give_back(
                Transient(ConditionKind.URL_UNREACHABLE, "The route is not running.")
            )
            return
        is_own = any(_OWN_QUESTION in sent for sent in connection.sent)
        upstream = self._take_warm()
        if upstream is not None:
            self._join(connection, upstream)
        else:
            self._group.create_task(self._dial_for(connection))
        if not is_own:
            self._used_at = asyncio.get_running_loop().time()
            self._make_ahead()

    def drain(self) -> None:
        """Let those who are here go elsewhere: each next answer asks for a new connection."""
        for exchange in self._exchanges:
            exchange.is_draining = True

    def close_idle(self) -> None:
        """Before the end: do not wait for clients that only keep their connection."""
        for exchange in tuple(self._exchanges):
            exchange.close_if_idle()

    def retry_now(self) -> None:
        """There is news (woken, another network): check at once, trust nothing made ahead."""
        self._drop_warm()
        self._failures = 0
        self._wakeup.set()

    async def run(self) -> NoReturn:
        """Keep checking and dialling; cancelling it resets those it still carries."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                while True:
                    await self._check_once()
        finally:
            self._group = None
            self._is_up = False
            self._drop_warm()
            for exchange in tuple(self._exchanges):
                exchange.abandon()
        raise AssertionError("unreachable")

    async def _check_once(self) -> None:
        """Check, tell, and wait for the next time or for news."""
        self._wakeup.clear()
        error = await check(self._dialer, self._address)
        if error is None:
            self._went_up()
            wait_s = CHECK_EVERY_S
        elif self._is_up and self._failures == 0:
            self._failures = 1
            wait_s = DOUBT_S
        else:
            wait_s = self._failed(error)
        await self._wakeup.wait(wait_s)

    def _went_up(self) -> None:
        self._failures = 0
        if not self._is_up:
            self._is_up = True
            self._observer.up()

    def _failed(self, error: LlmgwError) -> float:
        """Take note of a failure; give the seconds until the next check."""
        self._failures += 1
        wait_s = RETRY_WAIT(error, self._failures)
        self._observer.dial_failed(error, self._failures, wait_s)
        if self._is_up:
            self._is_up = False
            self._observer.down(error)
        return wait_s

    async def _dial_for(self, connection: Client) -> None:
        try:
            upstream = await self._dialer.dial()
        except LlmgwError as error:
            # Down before it is given back, or the forward would lead it here again.
            self._failed(error)
            connection.give_back(error)
            return
        if connection.is_closed:
            upstream.abort()
            return
        self._join(connection, upstream)

    def _join(self, connection: Client, upstream: Upstream) -> None:
        exchange = Exchange(
            connection, upstream, self._address, self._exchanges.discard, self._observer.cut
        )
        self._exchanges.add(exchange)
        exchange.start()

    # Connections made ahead.

    def _take_warm(self) -> Upstream | None:
        self._sweep()
        return self._warm.pop() if self._warm else None

    def _make_ahead(self) -> None:
        while self._group is not None and len(self._warm) + self._warming < WARM:
            self._warming += 1
            self._group.create_task(self._warm_one())

    async def _warm_one(self) -> None:
        """Make one connection ahead, and another in its place while clients keep coming."""
        loop = asyncio.get_running_loop()
        try:
            upstream = await self._dialer.dial()
        except LlmgwError:
            # Nobody waits for it; whoever comes next dials and tells.
            return
        finally:
            self._warming -= 1
        self._warm.append(upstream)
        await anyio.sleep(WARM_FOR_S)
        self._sweep()
        if self._is_up and loop.time() - self._used_at < IN_USE_S:
            self._make_ahead()

    def _sweep(self) -> None:
        """Close what is too old to be written to, forget what the server has closed."""
        oldest = asyncio.get_running_loop().time() - WARM_FOR_S
        for upstream in self._warm:
            if upstream.dialled_at <= oldest:
                upstream.close()
        self._warm = [
            upstream
            for upstream in self._warm
            if upstream.dialled_at > oldest and not upstream.is_closed
        ]

    def _drop_warm(self) -> None:
        for upstream in self._warm:
            upstream.abort()
        self._warm = []
