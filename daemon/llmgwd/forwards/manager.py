"""All forwards: started, stopped, reloaded and shown; what `control` and `service` see of us."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

import llmgwctl
from llmgwctl import wire
from llmgwctl.rules.placeholder import PLACEHOLDER
from llmgwctl.wire import STATES_WORST_FIRST, ConditionKind, EventKind, State
from llmgwd.errors import LlmgwError, UnknownForward
from llmgwd.forwards.config_in_force import ConfigInForce
from llmgwd.forwards.events import record_conditions
from llmgwd.forwards.forward import Forward
from llmgwd.forwards.keys import Keys
from llmgwd.forwards.models import ModelLists
from llmgwd.forwards.status import condition_statuses, forward_status
from llmgwd.forwards.verdict import exposure
from llmgwd.forwards.verdict.conditions import Conditions
from llmgwd.gateway.key import Key
from llmgwd.relay.http.kept_request import ResendBudget
from llmgwd.routes.followed_access import Accesses
from llmgwd.system.files.file_watch import WatchedFiles
from llmgwd.system.process import memory, suspend
from llmgwd.system.process.descriptors import Descriptors, exhausted
from llmgwd.system.supervised import Supervisor
from llmgwd.telemetry import wall_time
from llmgwd.telemetry.spend import Spend
from llmgwd.telemetry.timings import Timings

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from llmgwd.config.model import Config, ForwardConfig
    from llmgwd.listening.listeners import Sockets
    from llmgwd.relay.http.request_records import RequestRecords
    from llmgwd.telemetry.event_journal import Journal

DRAIN_S: Final = 30.0


class ForwardManager:
    """Runs the forwards of a configuration; implements the `Daemon` that the control API sees.

    It holds the one of each thing that all forwards share, and the forwards: hence its many
    attributes.
    """

    def __init__(
        self, config: Config, sockets: Sockets, journal: Journal, spend: Spend | None = None
    ) -> None:
        self.journal = journal
        self.forwards: dict[str, Forward] = {}
        self.files = WatchedFiles()
        self._accesses = Accesses(self.files)
        self.timings = Timings()
        self.started = anyio.Event()
        self.supervisor = Supervisor(self._settle)
        self.descriptors = Descriptors(self._settle)
        self._config = ConfigInForce(config, journal, self._become, self._settle)
        self._sockets = sockets
        self._spend = spend or Spend()
        self._budget = ResendBudget()
        self._keys = Keys()
        self._models = ModelLists(self._keys, lambda name: self.forwards.get(name))
        self._conditions = Conditions()
        self._started_at = wall_time.now()
        self._tasks: TaskGroup | None = None
        self._scopes: dict[str, anyio.CancelScope] = {}

    @property
    def config(self) -> Config:
        return self._config.current

    # Life.

    async def run(self) -> None:
        """Run until cancelled; all forwards end then, and what they carry with them."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            keep = self.supervisor.keep
            tasks.start_soon(keep, "the journal", self.journal.run)
            tasks.start_soon(keep, "the spend", self._spend.run)
            tasks.start_soon(keep, "watching files", self.files.run)
            tasks.start_soon(keep, "counting descriptors", self.descriptors.run)
            tasks.start_soon(keep, "noticing sleep", partial(suspend.notice, self._woke))
            tasks.start_soon(keep, "collecting memory", memory.collect)
            tasks.start_soon(keep, "reloading", self._reload_on_change)
            tasks.start_soon(keep, "watching the keys' Secrets", self._keys.run)
            tasks.start_soon(keep, "listing models", partial(self._models.run, self.journal))
            self._settle()
            self.files.follow(self, [self.config.path], self._config.file_changed.set)
            self.journal.record(EventKind.DAEMON_STARTED, f"llmgwd {llmgwctl.__version__} started.")
            for forward in self.config.forwards:
                self._start(forward)
            self.started.set()

    def _start(self, forward: ForwardConfig) -> None:
        assert self._tasks is not None
        running = Forward(
            forward,
            self._sockets,
            self.journal,
            self._accesses,
            self.timings,
            self._budget,
            self._spend.add,
            self._read_key,
        )
        running.relay.note_rejected_keys = partial(self._keys.rejected, running)
        self.forwards[forward.name] = running
        scope = self._scopes[forward.name] = anyio.CancelScope()
        self._tasks.start_soon(self._run_forward, running, scope)

    async def _read_key(self, forward: Forward, afresh: bool) -> str:
        return (await self._keys.key(forward, afresh=afresh)).value

    async def wait_until_accepting(self) -> None:
        """Return when every port that could be had is served."""
        await self.started.wait()
        for forward in tuple(self.forwards.values()):
            await forward.listeners.tried.wait()

    async def _run_forward(self, forward: Forward, scope: anyio.CancelScope) -> None:
        with scope:
            await self.supervisor.keep(f"forward {forward.name}", forward.run)

    async def drain(self) -> None:
        """Let what is carried end by itself, for a bounded time."""
        streams = sum(forward.admission.streams for forward in self.forwards.values())
        message = "llmgwd ends" + (f" when {streams} connections have ended." if streams else ".")
        self.journal.record(EventKind.DAEMON_STOPPING, message, cause="signal", streams=streams)
        with anyio.move_on_after(DRAIN_S):
            async with anyio.create_task_group() as tasks:
                for forward in self.forwards.values():
                    tasks.start_soon(forward.drain)

    # What the control API asks.

    async def refresh(self, within_s: float) -> None:
        with anyio.move_on_after(within_s):
            async with anyio.create_task_group() as tasks:
                for forward in self.forwards.values():
                    tasks.start_soon(forward.health.refresh)

    def status(self) -> wire.Status:
        forwards = [forward_status(forward) for forward in self.forwards.values()]
        status: wire.Status = {
            "api": wire.API_VERSION,
            "version": llmgwctl.__version__,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "state": self._worst_state().value,
            "config": self._config.status(),
            "conditions": condition_statuses(self._conditions),
            "forwards": forwards,
        }
        return wall_time.corrected(status)

    def forward_status(self, name: str) -> wire.ForwardStatus:
        return wall_time.corrected(forward_status(self._forward(name)))

    def _worst_state(self) -> State:
        states = {forward.state for forward in self.forwards.values()}
        return next((state for state in STATES_WORST_FIRST if state in states), State.STOPPED)

    def events_since(self, seq: int | None) -> list[wire.Event]:
        return self.journal.since(seq)

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[wire.Event]]:
        return self.journal.subscribe()

    def requests(self, name: str | None) -> list[RequestRecords]:
        chosen = self.forwards.values() if name is None else [self._forward(name)]
        return [forward.relay.records for forward in chosen]

    def spend(self) -> list[wire.DaySpend]:
        return self._spend.days()

    async def restart(self, name: str) -> None:
        self._forward(name).restart()

    async def stop(self, name: str) -> None:
        self._forward(name).stop()

    async def start(self, name: str) -> None:
        await self._forward(name).start()

    async def key(self, name: str, *, reveal: bool, to_judge: bool = False) -> Key:
        """Give the key of the gateway behind a forward; raises what its source is missing.

        `to_judge`: for asking the gateway about it, so even one that it is known to reject.
        """
        forward = self._forward(name)
        if forward.relay.injector is not None and not reveal:
            return Key(PLACEHOLDER, "the placeholder that llmgwd replaces by the key")
        return await (self._keys.key if to_judge else self._keys.usable_key)(forward)

    def models(self, name: str) -> wire.ModelsStatus:
        """Give the models known to be behind a forward."""
        return self._models.status(self._forward(name))

    def _forward(self, name: str) -> Forward:
        try:
            return self.forwards[name]
        except KeyError:
            raise UnknownForward(name, list(self.forwards)) from None

    # Reloading.

    async def reload(self) -> None:
        """Read the configuration again; forwards that did not change are not touched.

        Raises:
            ConfigError: it holds a mistake; nothing was changed.
        """
        await self._config.reload()

    async def reload_quietly(self) -> None:
        """Reload for a signal or a changed file: a mistake shows in the status."""
        await self.supervisor.attempt("reading the configuration", self._config.reload_quietly)

    async def _reload_on_change(self) -> NoReturn:
        while True:
            await self._config.file_changed.wait()
            await self.reload_quietly()

    async def _become(self, config: Config) -> None:
        before = {forward.name: forward.config for forward in self.forwards.values()}
        after = {forward.name: forward for forward in config.forwards}
        for name in before.keys() - after.keys():
            self._end(name)
        for name, forward in after.items():
            if name not in before:
                self._start(forward)
            elif forward != before[name]:
                await self.forwards[name].reconfigure(forward)
        self.forwards = {name: self.forwards[name] for name in after}
        self.journal.record(EventKind.CONFIG_RELOADED, _what_changed(before, after), cause="reload")

    def _end(self, name: str) -> None:
        self.forwards.pop(name).stop()
        self._keys.forget(name)
        self._scopes.pop(name).cancel()

    # What the machine reports.

    def _settle(self) -> None:
        """Work out the daemon's own conditions, and record what changed."""
        before = self._conditions
        if self.descriptors.are_exhausted:
            for forward in self.forwards.values():
                forward.relay.connections.close_idle()
        problems = self._problems()
        self._conditions = before.renewed(problems, wall_time.now(), is_serving=True)
        record_conditions(self.journal, before, self._conditions)

    def _problems(self) -> Iterator[LlmgwError]:
        mistake = self._config.problem()
        if mistake is not None:
            yield mistake
        if self.descriptors.are_exhausted:
            yield exhausted()
        for exposed in exposure.exposures_of_metrics(self.config.metrics):
            yield LlmgwError(ConditionKind.EXPOSED, exposed, exposure.REMEDY)
        yield from self.supervisor.problems()

    def _woke(self, missed_s: float) -> None:
        assert self._tasks is not None
        self.journal.record(
            EventKind.WOKE_UP, f"The machine slept, or llmgwd was stopped, for {missed_s:.0f} s."
        )
        for forward in self.forwards.values():
            self._tasks.start_soon(
                self.supervisor.attempt, f"waking forward {forward.name}", forward.woke
            )


def _what_changed(before: Mapping[str, ForwardConfig], after: Mapping[str, ForwardConfig]) -> str:
    words = [
        *(f"{name} is new" for name in after.keys() - before.keys()),
        *(f"{name} is gone" for name in before.keys() - after.keys()),
        *(f"{name} changed" for name in after if name in before and after[name] != before[name]),
    ]
    return f"Configuration read again: {', '.join(sorted(words)) or 'no forward changed'}."
