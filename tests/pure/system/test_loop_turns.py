"""A turn of the loop that takes too much processor time is noticed; the clock's time is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from llmgwd.system.process.loop_turns import LOOK_EVERY_S, LoopTurns

# In a module of the daemon's name, because only such frames are looked at.
SOURCE = """
class Peer:
    def data_received(self):
        began = time.thread_time()
        # The look at the clock is the system's time, and it is a program's own that is watched.
        while time.thread_time() - began < 0.4:
            sum(range(10_000))

    def caused_long_turn(self):
        self.blamed = True
"""


NewLoop = Callable[[], asyncio.AbstractEventLoop]
on_each_loop = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


def run(work: Callable[[], Any], new_loop: NewLoop) -> tuple[LoopTurns, list[Any]]:
    turns = LoopTurns()

    async def main() -> None:
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(work)
        for _ in range(100):
            await asyncio.sleep(0)  # a turn

    with capture_logs() as logs, turns.watched():
        loop = new_loop()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()
    return turns, logs


@on_each_loop
def test_a_long_turn_is_counted_and_its_cause_is_named_and_told(new_loop: NewLoop) -> None:
    world: dict[str, Any] = {"time": time, "__name__": "llmgwd.peers"}
    exec(SOURCE, world)
    peer = world["Peer"]()

    turns, logs = run(peer.data_received, new_loop)

    assert turns.count == 1
    assert peer.blamed
    assert [entry["event"] for entry in logs] == ["long turn"]
    assert logs[0]["at"] == "llmgwd.peers.data_received"
    # The first look comes up to that late, and the system's clock ticks coarsely.
    assert logs[0]["processor_s"] >= 0.4 - 2 * LOOK_EVERY_S


@on_each_loop
def test_a_turn_that_only_waits_is_not_long(new_loop: NewLoop) -> None:
    turns, logs = run(lambda: time.sleep(0.4), new_loop)

    assert (turns.count, logs) == (0, [])


@on_each_loop
def test_many_turns_that_are_short_are_none_that_is_long(new_loop: NewLoop) -> None:
    def work(left: int = 60) -> None:
        began = time.thread_time()
        while time.thread_time() - began < 0.01:
            sum(range(10_000))
        if left:
            asyncio.get_running_loop().call_soon(work, left - 1)

    turns, logs = run(work, new_loop)

    assert (turns.count, logs) == (0, [])
