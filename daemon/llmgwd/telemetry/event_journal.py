"""Everything that changed, one record each: in memory, on disk across restarts, and to watchers.

`record` is the only way in and never waits: the disk is written by `run`, in a thread. Each record
is also logged, once, here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.to_thread
import msgspec
import structlog

from llmgwctl import payloads
from llmgwctl.rules import regular_file, timestamps
from llmgwctl.rules.events import WARNINGS
from llmgwd.system.wakeup import Wakeup
from llmgwd.telemetry.redaction import redact

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectSendStream

    from llmgwctl.wire import Event, EventKind

RING: Final = 10_000
# Two files of this size hold some 10,000 events.
FILE_BYTES: Final = 1024 * 1024
# A watcher may fall this far behind before it is ended; a storm of changes is some hundred.
WATCHER_EVENTS: Final = 1_000
# Records that come close together are written together.
WRITE_EVERY_S: Final = 0.2

_SURROGATES: Final = re.compile("[\ud800-\udfff]")

_log = structlog.get_logger()


class Journal:
    """`folder` None keeps nothing on disk. A second process must not use the same folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._ring: deque[Event] = deque(maxlen=RING)
        self._seq = 0
        self._folder = folder
        self._unwritten: list[Event] = []
        self._watchers: set[MemoryObjectSendStream[Event]] = set()
        self._has_more = Wakeup()
        if folder is not None:
            self._load(folder)

    def record(self, kind: EventKind, message: str = "", **fields: Any) -> Event:
        """Note a change; fields are those of `wire.Event`, and None leaves one out."""
        self._seq += 1
        given = {key: _clean(value) for key, value in fields.items() if value is not None}
        event = cast(
            "Event", {"seq": self._seq, "time": timestamps.now(), "kind": kind.value, **given}
        )
        for key in ("message", "remedy"):
            text = _clean(message) if key == "message" else given.get(key)
            if text:
                event[key] = redact(text)
        self._ring.append(event)
        self._offer(event)
        if self._folder is not None:
            self._unwritten.append(event)
            self._has_more.set()
        _write_to_log(kind, event)
        return event

    @property
    def seq(self) -> int:
        """Of the last record."""
        return self._seq

    def since(self, seq: int | None) -> list[Event]:
        """Give what is kept above `seq` (None: all), the oldest first."""
        return [event for event in self._ring if seq is None or event["seq"] > seq]

    @contextlib.asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[Event]]:
        """Watch from now on. The iterator ends for a watcher that falls behind."""
        send, receive = anyio.create_memory_object_stream["Event"](WATCHER_EVENTS)
        self._watchers.add(send)
        try:
            async with receive:
                yield receive
        finally:
            self._watchers.discard(send)
            send.close()

    async def run(self) -> None:
        """Keep the disk up to date; what is left at the end is written by `close`."""
        while True:
            await self._has_more.wait()
            await anyio.sleep(WRITE_EVERY_S)
            events = self._take()
            await anyio.to_thread.run_sync(self._write, events)

    def close(self) -> None:
        """Write what is left and end all watchers."""
        self._write(self._take())
        for send in self._watchers:
            send.close()
        self._watchers.clear()

    def _take(self) -> list[Event]:
        events, self._unwritten = self._unwritten, []
        return events

    def _offer(self, event: Event) -> None:
        for send in list(self._watchers):
            try:
                send.send_nowait(event)
            except anyio.WouldBlock:
                self._watchers.discard(send)
                send.close()
            except anyio.BrokenResourceError:
                self._watchers.discard(send)

    def _write(self, events: Iterable[Event]) -> None:
        if self._folder is None or not events:
            return
        lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
        try:
            _append(self._folder / "events.jsonl", lines.encode())
        except OSError as error:
            # A full disk must not stop the daemon; the ring goes on.
            _log.warning("events not written", reason=error.strerror)

    def _load(self, folder: Path) -> None:
        for name in ("events.jsonl.1", "events.jsonl"):
            with contextlib.suppress(OSError):
                self._ring.extend(_read(folder / name))
        if self._ring:
            self._seq = max(event["seq"] for event in self._ring)


def _write_to_log(kind: EventKind, event: Event) -> None:
    fields = {key: value for key, value in event.items() if key not in ("seq", "time", "kind")}
    write = _log.warning if kind in WARNINGS else _log.info
    write(kind.value.replace("-", " "), **fields)


def _append(path: Path, lines: bytes) -> None:
    """Append to a file only its owner can read; past its limit it becomes FILE.1."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # O_NONBLOCK: else a FIFO at this place holds the daemon up.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size + len(lines) > FILE_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(lines)


def _read(path: Path) -> list[Event]:
    """Read what an earlier run wrote; what is no event (a line cut short by a crash) is left out.

    What is given has all that readers of events rely on: a number, a time and a kind.
    """
    decode = msgspec.json.Decoder(payloads.Event).decode
    events: list[Event] = []
    for line in regular_file.read(path, 2 * FILE_BYTES).splitlines():
        with contextlib.suppress(msgspec.DecodeError, ValueError, RecursionError):
            event = decode(line)
            has_time = timestamps.seconds_of(event.get("time", "")) is not None
            if has_time and event.get("seq", 0) > 0 and event.get("kind"):
                events.append(event)
    return events


def _clean(value: Any) -> Any:
    """Replace lone surrogates, which come with a peer's JSON and cannot be encoded again."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value
