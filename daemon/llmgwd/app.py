"""Puts the daemon together, runs it, and takes it apart in the right order.

The order of the end: no more is accepted; what is carried may finish; then routes, control socket
and journal go.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio
import structlog

from llmgwctl.wire import EventKind
from llmgwd.control.api import ControlServer
from llmgwd.control.endpoints.table import TABLE
from llmgwd.control.metrics_port import offer_metrics
from llmgwd.forwards.manager import DRAIN_S, ForwardManager
from llmgwd.listening import refusal_report
from llmgwd.service import desktop
from llmgwd.system.files.folders import state_folder
from llmgwd.system.process import event_loop
from llmgwd.system.process.limits import forbid_dumps
from llmgwd.system.process.signals import ReceivedSignals
from llmgwd.system.wakeup import Wakeup
from llmgwd.telemetry import log
from llmgwd.telemetry.event_journal import Journal
from llmgwd.telemetry.spend import Spend

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from llmgwd.config.model import Config
    from llmgwd.control.socket import ControlSocket
    from llmgwd.listening.sockets import ProcessSockets
    from llmgwd.service.notify import Notifier

# On top of the drain: closing what is left takes moments.
STOP_SLACK_S: Final = 5.0
# So often at most is the configuration read for a storm of SIGHUPs.
RELOAD_PAUSE_S: Final = 0.25

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LogOptions:
    level: str
    log_format: str | None = None
    file: str | None = None


def run(
    config: Config,
    sockets: ProcessSockets,
    control_socket: ControlSocket,
    notifier: Notifier,
    logging: LogOptions,
) -> int:
    """Run until a signal ends it; the exit status."""
    log.configure(logging.level, logging.log_format, logging.file)
    faulthandler.enable()
    # They print where every thread is; by default these signals end the process.
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        faulthandler.register(number, all_threads=True)
    # These end it by default, too, and mean nothing here. Not SIG_IGN, which the programs that it
    # starts would inherit.
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO):
        signal.signal(number, lambda *_: None)
    forbid_dumps()
    daemon = Daemon(config, sockets, control_socket, notifier, state_folder())
    event_loop.start(daemon.run)
    # Nothing is to be freed any more: the interpreter's end would search all modules for garbage,
    # for most of the time from the last answer to the exit, and the next daemon waits for that.
    gc.freeze()
    return 0


class Daemon:
    """One run of the daemon. `beside` runs along with it, in a task of its own."""

    def __init__(
        self,
        config: Config,
        sockets: ProcessSockets,
        control_socket: ControlSocket,
        notifier: Notifier,
        state: Path | None,
        beside: Callable[[ForwardManager], Coroutine[None, None, None]] | None = None,
    ) -> None:
        self._config = config
        self._sockets = sockets
        self._control_socket = control_socket
        self._notifier = notifier
        self._state = state
        self._beside = beside
        self._hangup = Wakeup()
        self.manager: ForwardManager

    async def run(self) -> None:
        journal = Journal(self._state)
        spend = Spend(self._state)
        self.manager = ForwardManager(self._config, self._sockets, journal, spend=spend)
        asyncio.get_running_loop().set_exception_handler(self._loop_failed)
        keep = self.manager.supervisor.keep
        serve = ControlServer(self.manager, TABLE).run
        try:
            with ReceivedSignals(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(keep, "the control API", partial(serve, self._control_socket))
                    tasks.start_soon(self.manager.run)
                    tasks.start_soon(keep, "the service manager's feed", self._feed)
                    tasks.start_soon(keep, "reloading", self._reload_on_hangup)
                    if self._config.metrics is not None:
                        offer = partial(
                            offer_metrics,
                            self.manager,
                            self._config.metrics,
                            partial(_record_refused_at_metrics, journal),
                        )
                        tasks.start_soon(keep, "the metrics port", offer)
                    if desktop.is_available():
                        sender = desktop.Desktop(lambda: self.manager.config.notify)
                        told = desktop.Notifications(self.manager, sender.send)
                        tasks.start_soon(keep, "desktop notifications", told.run)
                    if self._beside is not None:
                        tasks.start_soon(self._beside, self.manager)
                    await self._await_end(received)
                    tasks.cancel_scope.cancel()
        finally:
            spend.close()
            journal.close()

    async def _feed(self) -> None:
        """Report to the service manager: that the ports are served, then how things are."""
        await self.manager.wait_until_accepting()
        self._sockets.kept.close_rest()
        wanted = [address for each in self._config.forwards for address in each.listen]
        for host, port in self._sockets.unwanted(wanted):
            _log.warning(
                "socket unit is older than the configuration",
                listens=f"{host}:{port}",
                remedy="llmgwctl service install",
            )
        self._notifier.ready()
        keep = self.manager.supervisor.keep
        keep_status = partial(
            self._notifier.keep_status, self.manager.status, self.manager.subscribe
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep, "the watchdog's feed", self._notifier.feed_watchdog)
            tasks.start_soon(keep, "the status for systemctl", keep_status)

    async def _await_end(self, received: ReceivedSignals) -> None:
        """Reload on SIGHUP; drain on the first other signal, and end at once on the second."""
        async with anyio.create_task_group() as tasks:
            is_draining = False
            while True:
                came = await received.wait()
                if signal.SIGHUP in came:
                    self._hangup.set()
                if came == {signal.SIGHUP}:
                    continue
                if is_draining:
                    break
                is_draining = True
                tasks.start_soon(self._drain, tasks.cancel_scope)
            tasks.cancel_scope.cancel()

    async def _reload_on_hangup(self) -> NoReturn:
        while True:
            await self._hangup.wait()
            self._notifier.reloading()
            await self.manager.reload_quietly()
            self._notifier.ready()
            await anyio.sleep(RELOAD_PAUSE_S)

    async def _drain(self, whole: anyio.CancelScope) -> None:
        self._notifier.stopping("finishing what is carried")
        self._notifier.extend_timeout(DRAIN_S + STOP_SLACK_S)
        await self.manager.drain()
        whole.cancel()

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What fell through everywhere: accepting without descriptors, or a bug."""
        error = context.get("exception")
        if self.manager.descriptors.note(error) or event_loop.is_write_after_close(context):
            return
        _log.error("loop failed", said=context.get("message"), exc_info=error)


def _record_refused_at_metrics(journal: Journal, count: int, reasons: list[str]) -> None:
    message = refusal_report.sentence(count, reasons, " at the metrics port")
    journal.record(EventKind.CLIENTS_REFUSED, message, streams=count)
