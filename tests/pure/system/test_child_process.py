"""Child processes: no input, bounded output and time, and nothing left of one that we end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import anyio
import pytest

from llmgwd.system.process.child_process import Ended, StillRunning, last_line, run

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def program(text: str, *arguments: str, within_s: float = 20.0, most: int = 1 << 20) -> Ended:
    return await run(
        [sys.executable, "-c", text, *arguments], within_s=within_s, max_output_bytes=most
    )


async def test_a_child_reads_the_end_of_its_input_at_once() -> None:
    ended = await program("import sys; print(repr(sys.stdin.read()))")

    assert (ended.status, ended.stdout) == (0, b"''\n")


async def test_a_child_that_prints_more_than_is_kept_is_not_held_up() -> None:
    ended = await program("import os; [os.write(n, b'x' * 300_000) for n in (1, 2)]", most=1000)

    assert ended.status == 0
    assert (len(ended.stdout), len(ended.stderr)) == (1000, 1000)


async def test_a_child_leads_a_process_group_of_its_own() -> None:
    ended = await program("import os; print(os.getpid() == os.getpgrp() == os.getsid(0))")

    assert ended.stdout == b"True\n"


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_child_that_we_end_takes_with_it_all_that_it_started(
    tmp_path: Path, is_cancelled: bool
) -> None:
    pids = tmp_path / "pids"
    text = (
        "import os, subprocess, sys, time; child = subprocess.Popen(['sleep', '600']);"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}');"
        "print('touch your key', file=sys.stderr, flush=True); time.sleep(600)"
    )

    if is_cancelled:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(program, text, str(pids))
            while not pids.exists() or " " not in pids.read_text():  # noqa: ASYNC110 - a file
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    else:
        with pytest.raises(StillRunning) as late:
            await program(text, str(pids), within_s=1.0)
        assert late.value.complaint == "touch your key"

    for pid in map(int, pids.read_text().split()):
        await gone(pid)


async def gone(pid: int) -> None:
    """Wait until a process has ended; one that no parent reaped yet is a zombie, and has."""
    give_up_at = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < give_up_at
        await anyio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_an_agent_that_a_child_leaves_behind_stays_and_is_not_waited_for() -> None:
    text = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    began = time.monotonic()

    ended = await program(text)

    assert time.monotonic() - began < 10
    agent = int(ended.stdout)
    assert _runs(agent)
    os.kill(agent, 9)


async def test_a_program_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError):
        await run(["no-such-program"], within_s=1.0)


def test_the_last_line_is_the_last_that_says_something() -> None:
    stderr = b"Traceback ...\n\x1b[31mThe SSO session has expired\x1b[0m  \n\n"

    assert last_line(stderr) == "The SSO session has expired"


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl",
        "sk-1234abcd",
        "FwoGZXIvYXdzEBYaDNxJ0n2Wq7example1234567890abcdef",
    ],
)
def test_the_last_line_shows_no_token(token: str) -> None:
    shown = last_line(f"cannot renew {token}".encode())

    assert shown.startswith("cannot renew ")
    assert token not in shown


async def test_what_a_child_printed_is_not_in_its_text_form() -> None:
    assert "sk-secret" not in repr(await program("print('sk-secret')"))
