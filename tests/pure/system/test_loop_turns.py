"""A turn of the loop that takes too much processor time is noticed; the clock's time is none."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from structlog.testing import capture_logs

from llmgwd.system.process.loop_turns import LoopTurns

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


def run(work: Any) -> tuple[LoopTurns, list[Any]]:
    turns = LoopTurns()

    async def main() -> None:
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(work)
        await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)

    with capture_logs() as logs, turns.watched():
        loop = turns.new_loop()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()
    return turns, logs


def test_a_long_turn_is_counted_and_its_cause_is_named_and_told() -> None:
    world: dict[str, Any] = {"time": time, "__name__": "llmgwd.peers"}
    exec(SOURCE, world)
    peer = world["Peer"]()

    turns, logs = run(peer.data_received)

    assert turns.count == 1
    assert peer.blamed
    assert [entry["event"] for entry in logs] == ["long turn"]
    assert logs[0]["at"] == "llmgwd.peers.data_received"
    assert logs[0]["processor_s"] >= 0.4


def test_a_turn_that_only_waits_is_not_long() -> None:
    turns, logs = run(lambda: time.sleep(0.4))

    assert (turns.count, logs) == (0, [])
