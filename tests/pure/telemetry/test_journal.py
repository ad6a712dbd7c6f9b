"""The journal of events: numbered, kept across restarts, watched at the watcher's own pace."""

from __future__ import annotations

from pathlib import Path

import anyio

from llmgwctl.wire import EventKind
from llmgwd.telemetry.event_journal import FILE_BYTES, WATCHER_EVENTS, Journal


def _fill(journal: Journal, count: int, message: str = "") -> None:
    for _ in range(count):
        journal.record(EventKind.ROUTE_UP, message, forward="litellm")


def test_a_record_has_a_number_a_time_and_only_the_fields_that_are_known() -> None:
    journal = Journal()

    event = journal.record(EventKind.ROUTE_LOST, "Gone.", forward="a", cause="no-pods", pod=None)

    assert event.pop("time", "").endswith("Z")  # type: ignore[misc]
    assert event == {
        "seq": 1,
        "kind": "route-lost",
        "forward": "a",
        "cause": "no-pods",
        "message": "Gone.",
    }


def test_the_ring_keeps_the_last_ten_thousand() -> None:
    journal = Journal()

    _fill(journal, 10_003)

    kept = journal.since(None)
    assert [kept[0]["seq"], kept[-1]["seq"], len(kept)] == [4, 10_003, 10_000]
    assert [event["seq"] for event in journal.since(10_001)] == [10_002, 10_003]


def test_numbers_and_records_go_on_after_a_restart(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    _fill(first, 3)
    first.close()

    second = Journal(tmp_path)
    _fill(second, 1)

    assert [event["seq"] for event in second.since(None)] == [1, 2, 3, 4]


def test_a_line_cut_short_by_a_crash_costs_only_itself(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    _fill(first, 3)
    first.close()
    file = tmp_path / "events.jsonl"
    file.write_bytes(file.read_bytes()[:-20])

    assert [event["seq"] for event in Journal(tmp_path).since(None)] == [1, 2]


def test_the_disk_holds_two_small_files_only_their_owner_can_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for _ in range(5):
        _fill(journal, 500, "x" * 1000)
        journal.close()

    files = {file.name: file.stat() for file in tmp_path.iterdir()}

    assert set(files) == {"events.jsonl", "events.jsonl.1"}
    assert all(each.st_size <= FILE_BYTES and each.st_mode & 0o77 == 0 for each in files.values())
    assert Journal(tmp_path).seq == 2500


def test_secrets_in_a_sentence_are_blanked_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path)

    journal.record(EventKind.CONDITION_RAISED, "said sk-abcdefghij", remedy="Bearer abcdefgh")
    journal.close()

    assert "abcdefgh" not in (tmp_path / "events.jsonl").read_text()


def test_a_watcher_sees_what_comes_after_it_and_one_that_falls_behind_is_ended() -> None:
    async def main() -> tuple[list[int], list[int]]:
        journal = Journal()
        _fill(journal, 2)
        async with journal.subscribe() as quick, journal.subscribe() as slow:
            seen = []
            for _ in range(WATCHER_EVENTS + 5):
                _fill(journal, 1)
                seen.append((await anext(quick))["seq"])
            return seen, [event["seq"] async for event in slow]

    seen, ended = anyio.run(main)

    assert seen == list(range(3, WATCHER_EVENTS + 8))
    assert ended == list(range(3, WATCHER_EVENTS + 3))


def test_records_reach_the_disk_while_the_daemon_runs(tmp_path: Path) -> None:
    async def main() -> str:
        journal = Journal(tmp_path)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            _fill(journal, 2)
            with anyio.fail_after(5):
                while not (tmp_path / "events.jsonl").exists():  # noqa: ASYNC110 - a file tells nobody
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        return (tmp_path / "events.jsonl").read_text()

    assert anyio.run(main).count("\n") == 2
