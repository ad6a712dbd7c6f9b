"""What the control API needs of the daemon: all it sees, so that it can be tested without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from llmgwctl.wire import DaySpend, Event, ForwardStatus, ModelsStatus, Status
    from llmgwd.config.model import Config
    from llmgwd.gateway.key import Key
    from llmgwd.relay.http.request_records import RequestRecords
    from llmgwd.telemetry.timings import Timings


class Daemon(Protocol):
    """The running daemon. What takes the name of a forward raises `UnknownForward` for another."""

    @property
    def timings(self) -> Timings:
        """How long probes, dials, holds and outages took."""

    @property
    def config(self) -> Config:
        """What is in force: of the last reload that held no mistake."""

    async def refresh(self, within_s: float) -> None:
        """Ask again what is known for longer than a moment; wait for the answers, but no longer."""

    def status(self) -> Status:
        """Give what is known right now; waits for nothing."""

    def forward_status(self, name: str) -> ForwardStatus:
        """Give what is known of one forward right now."""

    def events_since(self, seq: int | None) -> list[Event]:
        """Give the events kept whose seq is above `seq` (None: all kept), oldest first."""

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Watch events from now on; a watcher that falls behind meets the iterator's end."""

    def requests(self, name: str | None) -> list[RequestRecords]:
        """Give the records of this forward's requests, or of all forwards'.

        Raises:
            UnknownForward: none has that name.
        """

    def spend(self) -> list[DaySpend]:
        """Give what passed through each day, the oldest first."""

    async def restart(self, name: str) -> None: ...

    async def stop(self, name: str) -> None: ...

    async def start(self, name: str) -> None: ...

    async def reload(self) -> None:
        """Read the configuration again.

        Raises:
            ConfigError: it holds a mistake; nothing was changed.
        """

    async def key(self, name: str, *, reveal: bool, to_judge: bool = False) -> Key:
        """Give the key of the gateway behind a forward, or what stands for it where it is injected.

        Raises:
            Blocked: its source has none, or may not be read. Transient: the cluster is away.
        """

    def models(self, name: str) -> ModelsStatus:
        """Give the models known to be behind a forward, and have an old list renewed."""
