"""When the sums of the day reach the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from virtual_clock import run

from llmgwd.telemetry.spend import WRITE_EVERY_S, Spend
from support.client.request_records import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


async def _inline(call: Callable[..., object], *values: object) -> object:
    return call(*values)


def test_what_could_not_be_written_is_written_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock does not wait for threads.
    monkeypatch.setattr(anyio.to_thread, "run_sync", _inline)
    folder = tmp_path / "state"
    folder.write_text("in the way, as a full disk is")
    spend = Spend(folder)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(spend.run)
            spend.add(record(cost=0.25))
            await anyio.sleep(2.5 * WRITE_EVERY_S)
            folder.unlink()
            await anyio.sleep(WRITE_EVERY_S)
            tasks.cancel_scope.cancel()

    run(main)

    assert Spend(folder).days() == spend.days() != []
