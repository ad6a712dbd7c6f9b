"""When the person is told of a forward that waits for them, on a virtual clock."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
from virtual_clock import run

from llmgwctl.wire import EventKind, State
from llmgwd.service.desktop import BLOCKED_S, Note, Notifications, is_available, note_of

if TYPE_CHECKING:
    from llmgwctl.wire import Event, Status

SENTENCE, REMEDY = "The login has expired.", "aws sso login"


def forward(state: str) -> dict[str, Any]:
    condition = {
        "kind": "login-expired",
        "severity": "error",
        "since": "",
        "summary": SENTENCE,
        "remedy": REMEDY,
        "hidden_by": None,
    }
    return {
        "name": "litellm",
        "state": state,
        "conditions": [condition] if state == State.BLOCKED else [],
    }


class Manager:
    """Holds the state of one forward, and reports its changes."""

    def __init__(self, state: str) -> None:
        self.state = state
        self._send, self._receive = anyio.create_memory_object_stream[Any](64)

    def status(self) -> Status:
        return {"forwards": [forward(self.state)]}  # type: ignore[typeddict-item, return-value]

    @contextlib.asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[Event]]:
        yield self._receive

    def become(self, state: str) -> None:
        self.state = state
        event = {"kind": EventKind.STATE_CHANGED, "forward": "litellm", "state": state}
        self._send.send_nowait(event)


def told(
    script: Callable[[Manager], Awaitable[None]], state: str = State.READY
) -> list[tuple[float, str]]:
    """Give what was sent, each with its moment, while a script changes the forward."""
    sent: list[tuple[float, str]] = []

    async def send(note: Note) -> None:
        sent.append((anyio.current_time(), note.title))

    async def main() -> None:
        manager = Manager(state)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Notifications(manager, send).run)
            await script(manager)
            tasks.cancel_scope.cancel()

    run(main)
    return sent


def test_a_forward_that_stays_blocked_is_told_once_and_once_when_it_serves() -> None:
    async def script(manager: Manager) -> None:
        manager.become(State.BLOCKED)
        await anyio.sleep(100)
        manager.become(State.RECONNECTING)
        await anyio.sleep(1)
        manager.become(State.READY)
        await anyio.sleep(1)

    assert told(script) == [(BLOCKED_S, "litellm needs you"), (101, "litellm serves again")]


def test_what_heals_in_time_is_not_told() -> None:
    async def script(manager: Manager) -> None:
        for _ in range(3):
            manager.become(State.BLOCKED)
            await anyio.sleep(BLOCKED_S - 0.1)
            manager.become(State.READY)
            await anyio.sleep(1)

    assert told(script) == []


def test_one_that_is_blocked_from_the_start_is_told_too() -> None:
    async def script(manager: Manager) -> None:
        await anyio.sleep(BLOCKED_S + 1)

    assert told(script, State.BLOCKED) == [(BLOCKED_S, "litellm needs you")]


def test_the_next_time_is_told_again() -> None:
    async def script(manager: Manager) -> None:
        for state in (State.BLOCKED, State.READY, State.BLOCKED):
            manager.become(state)
            await anyio.sleep(20)

    assert [title for _, title in told(script)] == [
        "litellm needs you",
        "litellm serves again",
        "litellm needs you",
    ]


def test_the_note_holds_the_sentence_and_the_command() -> None:
    note = note_of(forward(State.BLOCKED))  # type: ignore[arg-type]

    assert note == Note("litellm needs you", f"{SENTENCE}\n{REMEDY}")


def test_without_a_desktop_there_is_nothing_to_tell() -> None:
    bus = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1/bus"}
    has_library = importlib.util.find_spec("desktop_notifier") is not None

    assert not is_available({}, "linux")
    assert is_available(bus, "linux") is is_available({}, "darwin") is has_library
