"""llmgwctl status --watch: waits for keys, events and the next second, and redraws the screen."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections import deque
from typing import TYPE_CHECKING

from llmgwctl.api.client import decoded, error_of, with_query
from llmgwctl.api.forward_choice import choose
from llmgwctl.api.transport import LineStream
from llmgwctl.errors import NotRunning, Unreachable, UsageError
from llmgwctl.show.live_frame import RECENT_EVENTS, Flow, frame
from llmgwctl.show.terminal import detect
from llmgwctl.wire import ApiPath, EventKind, Exit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmgwctl.api.client import Client
    from llmgwctl.wire import Event, Status

_EVERY_S = 1.0
_PAST_S = 3600.0
_ALTERNATE, _NORMAL = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(client: Client, name: str | None, is_coloured: bool) -> int:
    """Show until `q`; wait for a daemon that goes away.

    Raises:
        UsageError: this is not a terminal.
        NotRunning: there was no daemon at the start.
    """
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError("--watch needs a terminal", "for scripts: llmgwctl events -f --json")
    status = client.status()
    if name is not None:
        choose(status, name)
    view = _View(client, name, is_coloured)
    with _screen():
        while not view.turn():
            pass
    return Exit.OK


class _View:
    def __init__(self, client: Client, name: str | None, is_coloured: bool) -> None:
        self._client = client
        self._name = name
        self._is_coloured = is_coloured
        self._events: deque[Event] = deque(maxlen=RECENT_EVENTS)
        self._flows: dict[str, Flow] = {}
        self._stream: LineStream | None = None

    def turn(self) -> bool:
        """Draw once, then wait for a key, an event, or the next second; True to end."""
        self._draw(self._look())
        deadline = time.monotonic() + _EVERY_S
        while (left_s := deadline - time.monotonic()) > 0:
            sources = [sys.stdin, *([self._stream] if self._stream else [])]
            ready, _, _ = select.select(sources, [], [], left_s)
            if sys.stdin in ready and os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b""):
                return True
            if self._stream in ready and self._take():
                return False
        return False

    def _look(self) -> Status | None:
        try:
            status = self._client.status()
            if self._stream is None:
                self._connect()
        except (NotRunning, Unreachable):
            self._disconnect()
            return None
        if self._name is not None:
            chosen = [each for each in status["forwards"] if each["name"] == self._name]
            status = {**status, "forwards": chosen}
        now = time.monotonic()
        for forward in status["forwards"]:
            self._flows.setdefault(forward["name"], Flow()).note(forward, now)
        return status

    def _connect(self) -> None:
        stream = LineStream(self._client.path, with_query(ApiPath.EVENTS, {"since_s": _PAST_S}))
        if stream.error_answer is not None:
            raise error_of(stream.error_answer)
        # The answer holds the past too, also after a restart of the daemon.
        self._events.clear()
        self._stream = stream

    def _disconnect(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _take(self) -> bool:
        """Read events; True when there is something new to draw."""
        assert self._stream is not None
        lines = self._stream.ready_lines()
        if lines is None:
            self._disconnect()
            return True
        for line in filter(None, lines):
            event: Event = decoded(line)
            is_wanted = self._name is None or event.get("forward", self._name) == self._name
            if event["kind"] != EventKind.SNAPSHOT and is_wanted:
                self._events.append(event)
        return any(lines)

    def _draw(self, status: Status | None) -> None:
        terminal = detect(self._is_coloured)
        try:
            height = os.get_terminal_size().lines or 24
        except OSError:
            height = 24
        lines = frame(status, self._flows, tuple(self._events), terminal, height, time.time())
        text = f"{_TO_END_OF_LINE}\r\n".join(lines)
        sys.stdout.write(f"{_HOME}{text}{_TO_END_OF_LINE}{_TO_END}")
        sys.stdout.flush()


@contextlib.contextmanager
def _screen() -> Iterator[None]:
    """Take the alternate screen and single keys, and give both back in any case."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        # Not raw mode: Ctrl-C and Ctrl-Z keep their meaning.
        tty.setcbreak(keyboard)
        sys.stdout.write(_ALTERNATE)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        sys.stdout.write(_NORMAL)
        sys.stdout.flush()
