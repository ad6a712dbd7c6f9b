"""A daemon of plain data behind the real control server, for tests of the server and the client."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from llmgwctl.wire import DaySpend, Event, EventKind, ForwardStatus, ModelsStatus, State, Status
from llmgwd.config.model import Config
from llmgwd.control.api import ControlServer
from llmgwd.control.endpoints.table import TABLE
from llmgwd.control.socket import bind_control_socket
from llmgwd.errors import Blocked, ConfigError, UnknownForward
from llmgwd.gateway.key import Key
from llmgwd.relay.http.request_records import RequestRecords
from llmgwd.telemetry.timings import Timings
from support.client import sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
WATCHER_EVENTS = 64


class PlainDaemon:
    """Holds a status and a list of events; acts change the state they say."""

    def __init__(self, status: Status) -> None:
        self.value = copy.deepcopy(status)
        self.timings = Timings()
        self.config = Config("/nowhere/config.toml", is_present=False, forwards=())
        self.past: list[Event] = []
        self.records = [RequestRecords("litellm")]
        self.is_config_wrong = False
        self.is_broken = False
        self.refreshed = 0
        self._watchers: set[Any] = set()

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    async def refresh(self, within_s: float) -> None:
        self.refreshed += 1

    def status(self) -> Status:
        if self.is_broken:
            raise RuntimeError("a bug")
        return self.value

    def forward_status(self, name: str) -> ForwardStatus:
        forwards = {forward["name"]: forward for forward in self.status()["forwards"]}
        if name not in forwards:
            raise UnknownForward(name, list(forwards))
        return forwards[name]

    def events_since(self, seq: int | None) -> list[Event]:
        return [event for event in self.past if seq is None or event["seq"] > seq]

    @contextlib.asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[Event]]:
        send, receive = anyio.create_memory_object_stream[Event](WATCHER_EVENTS)
        self._watchers.add(send)
        try:
            async with receive:
                yield receive
        finally:
            self._watchers.discard(send)
            send.close()

    async def restart(self, name: str) -> None:
        self.change(name, State.RECONNECTING)

    async def stop(self, name: str) -> None:
        self.change(name, State.STOPPED)

    async def start(self, name: str) -> None:
        if self.is_config_wrong:
            raise Blocked("port-taken", "the port is taken", "end the other program")
        self.change(name, State.STARTING)

    async def reload(self) -> None:
        if self.is_config_wrong:
            raise ConfigError("config.toml: port = 70000, but a port is 1 to 65535")

    async def key(self, name: str, *, reveal: bool, to_judge: bool = False) -> Key:
        self.forward_status(name)
        return Key("sk-plain", "the test")

    def requests(self, name: str | None) -> list[RequestRecords]:
        if name is not None:
            self.forward_status(name)
        return self.records

    def spend(self) -> list[DaySpend]:
        return []

    def models(self, name: str) -> ModelsStatus:
        self.forward_status(name)
        return {"models": ["claude-haiku", "claude-sonnet", "gpt-mini"], "age_s": 1.5}

    def change(self, name: str, state: State) -> None:
        self.forward_status(name)
        for forward in self.value["forwards"]:
            if forward["name"] == name:
                previous, forward["state"] = forward["state"], str(state)
                self.tell(EventKind.STATE_CHANGED, forward=name, previous=previous, state=state)

    def tell(self, kind: EventKind, **fields: Any) -> None:
        event: Any = {
            "seq": len(self.past) + 1,
            "time": fields.pop("time", sample.NOW_STAMP),
            "kind": str(kind),
            **fields,
        }
        self.past.append(event)
        for watcher in list(self._watchers):
            try:
                watcher.send_nowait(event)
            except anyio.WouldBlock:
                self._watchers.discard(watcher)
                watcher.close()

    def end_watchers(self) -> None:
        for watcher in list(self._watchers):
            watcher.close()


class Served:
    """A daemon that serves at `path` from a thread of its own."""

    def __init__(
        self, path: str, daemon: PlainDaemon, server: ControlServer, portal: BlockingPortal
    ) -> None:
        self.path = path
        self.daemon = daemon
        self.server = server
        self._portal = portal

    def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Call something of the daemon's where the daemon lives."""
        return self._portal.call(act, *arguments)

    def until(self, claim_holds: Callable[[], bool]) -> None:
        """Wait for what the server does on its own."""

        async def poll() -> None:
            with anyio.fail_after(20):
                while not claim_holds():  # noqa: ASYNC110 - the server says nothing when
                    await anyio.sleep(0.005)

        self._portal.call(poll)


@contextlib.contextmanager
def serve(folder: Path, status: Status, **limits: Any) -> Iterator[Served]:
    """Run the real control server over plain data, at a socket in a folder with a short name."""
    daemon = PlainDaemon(status)
    held = bind_control_socket(str(folder / "llmgw" / "control.sock"))
    try:
        with start_blocking_portal() as portal:
            server = portal.call(lambda: ControlServer(daemon, TABLE, **limits))  # type: ignore[arg-type]
            running = portal.start_task_soon(server.run, held)
            yield Served(held.path, daemon, server, portal)
            running.cancel()
    finally:
        held.release()
