"""The search that the whole suite rests on finds what it is to find, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.written_logs import WrittenLogs


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "asked", "key": "sk-demo-master-key"}',
        "Authorization: Bearer abcdefgh",
        "token demo-aaaabbbbccccddddeeeeffffgggghhhh was issued",
        "eyJhbGciOiJub25lIn0.e30.",
        "-----BEGIN EC PRIVATE KEY-----",
        "it echoed not-of-the-usual-form back",
    ],
)
def test_a_key_in_a_log_is_found_and_not_said_again(line: str) -> None:
    logs = WrittenLogs()
    logs.uses("not-of-the-usual-form")
    logs.collect("a log", f"nothing here\n{line}\n")

    [leak] = logs.searched().leaks

    assert leak.startswith("a log:2: a key of ")
    assert line not in leak


@pytest.mark.parametrize(
    "line",
    [
        "the key [secret] was refused",
        "sent Bearer [secret] to the gateway",
        "task-1 and sk-1 are no keys",
        '{"cause": "login-expired", "forward": "litellm"}',
    ],
)
def test_what_is_no_key_is_not_taken_for_one(line: str) -> None:
    logs = WrittenLogs()
    logs.collect("a log", line)

    assert logs.searched().leaks == []


def test_logs_and_kept_events_are_collected_and_keys_where_they_belong_are_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "state").mkdir()
    for name in (
        "log",
        "llmgwd.log",
        "state/events.jsonl",
        "state/events.jsonl.1",
        "key",
    ):
        (tmp_path / name).write_text("sk-demo-master-key\n")
    logs = WrittenLogs()

    logs.collect_files(tmp_path)

    assert len(logs.searched().leaks) == logs.searched().line_count == 4
