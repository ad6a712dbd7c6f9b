"""One desktop notification when a forward waits for a person, and one when it serves again.

What heals by itself is not worth one: a forward must have been blocked for a while. The library
that speaks with the desktop is an extra, and known to this module alone.
"""

from __future__ import annotations

import html
import importlib.util
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
import structlog

from llmgwctl.rules.visible_conditions import visible
from llmgwctl.wire import SERVING_STATES, EventKind, State
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from llmgwctl.wire import Event, ForwardStatus, Status

# A login that a plugin renews by itself, or a role that is being applied, is over by then.
BLOCKED_S: Final = 10.0
_SEND_S: Final = 5.0
_BUS_VARIABLE: Final = "DBUS_SESSION_BUS_ADDRESS"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Note:
    title: str
    text: str


class Attention:
    """Which forwards wait for a person, and of which of them the person was told. Pure."""

    def __init__(self) -> None:
        self._blocked_at: dict[str, float] = {}
        self._told: set[str] = set()

    def see(self, name: str, state: str, now: float) -> bool:
        """Note a forward's state; say whether it serves again after the person was told."""
        if state == State.BLOCKED:
            self._blocked_at.setdefault(name, now)
            return False
        self._blocked_at.pop(name, None)
        if name not in self._told or state not in SERVING_STATES:
            return False
        self._told.discard(name)
        return True

    def take_due(self, now: float) -> list[str]:
        """Give the forwards to tell the person of now, each once until it serves again."""
        due = [name for name, at in self._waiting() if now - at >= BLOCKED_S]
        self._told.update(due)
        return due

    def due_at(self) -> float | None:
        return min((at + BLOCKED_S for _, at in self._waiting()), default=None)

    def _waiting(self) -> list[tuple[str, float]]:
        return [each for each in self._blocked_at.items() if each[0] not in self._told]


class Watched(Protocol):
    """What the daemon's manager gives."""

    def status(self) -> Status: ...

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Event]]: ...


class Notifications:
    """Notifies the person, by `send`, of the forwards that `watched` reports."""

    def __init__(self, watched: Watched, send: Callable[[Note], Awaitable[None]]) -> None:
        self._watched = watched
        self._send = send
        self._attention = Attention()
        self._changed = Wakeup()
        self._again: list[str] = []

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            while True:
                await self._changed.wait(self._wait_s())
                await self._tell()

    async def _watch(self) -> None:
        while True:
            # One that falls behind is ended: then what is so now is looked at anew.
            async with self._watched.subscribe() as coming:
                for forward in self._watched.status()["forwards"]:
                    self._see(forward["name"], forward["state"])
                async for event in coming:
                    if event["kind"] == EventKind.STATE_CHANGED:
                        self._see(event.get("forward", ""), event.get("state", ""))

    def _see(self, name: str, state: str) -> None:
        if self._attention.see(name, state, anyio.current_time()):
            self._again.append(name)
        self._changed.set()

    def _wait_s(self) -> float:
        due_at = self._attention.due_at()
        return float("inf") if due_at is None else max(due_at - anyio.current_time(), 0.0)

    async def _tell(self) -> None:
        again, self._again = self._again, []
        for name in again:
            await self._send(Note(f"{name} serves again", "What waited goes on."))
        due = self._attention.take_due(anyio.current_time())
        forwards = {each["name"]: each for each in self._watched.status()["forwards"]}
        for name in due:
            if name in forwards:
                await self._send(note_of(forwards[name]))


def note_of(forward: ForwardStatus) -> Note:
    """Word what a person must do: the sentence, and the command or advice that cures it."""
    title = f"{forward['name']} needs you"
    found = visible(forward["conditions"])
    if not found:
        return Note(title, "See: llmgwctl doctor")
    return Note(title, "\n".join(filter(None, (found[0]["summary"], found[0]["remedy"]))))


def is_available(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Say whether the extra is installed and there is a desktop to speak with."""
    has_desktop = platform == "darwin" or bool(environ.get(_BUS_VARIABLE))
    return has_desktop and importlib.util.find_spec("desktop_notifier") is not None


class Desktop:
    """Sends notes to the desktop. `is_wanted` is asked before each: a reload may change it."""

    def __init__(self, is_wanted: Callable[[], bool]) -> None:
        self._is_wanted = is_wanted
        self._notifier: Any = None

    async def send(self, note: Note) -> None:
        if not self._is_wanted():
            return
        try:
            with anyio.fail_after(_SEND_S):
                await self._connected().send(title=note.title, message=_as_body(note.text))
        except Exception as error:
            # The library lets through what each desktop's own library raises: no bus, no
            # service there, one that went away. None of it is worth more than this line.
            self._notifier = None
            _log.info("desktop not told", reason=str(error) or type(error).__name__)

    def _connected(self) -> Any:
        if self._notifier is None:
            from desktop_notifier import DesktopNotifier

            self._notifier = DesktopNotifier(app_name="llmgw", app_icon=None)
        return self._notifier


def _as_body(text: str, platform: str = sys.platform) -> str:
    """Have foreign words stand as they are: a desktop of freedesktop's takes them for markup, with
    links in it.
    """
    return text if platform == "darwin" else html.escape(text, quote=False)
