"""The one way to run a child process: in a process group of its own, without input, bounded in
time and in output.

The daemon has no terminal to lend, so a child that asks a person something reads the end of its
input at once. A child that we end (time-out, cancellation) ends with all that it started. One that
ends by itself may leave an agent running on purpose (gpg-agent, a keychain's helper): that stays,
and the pipes it may have inherited are not waited for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.rules.secrets import blank_out

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, Process

MAX_OUTPUT_BYTES: Final = 1 << 20
# What a child printed is in the pipe when it has ended; reading it takes no longer than this.
_DRAIN_S: Final = 1.0
_LINE_CHARACTERS: Final = 300
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Tokens of many kinds have been seen in error texts, more than the rule of secrets knows; nothing
# that a person needs to read is this long and unbroken.
_UNBROKEN: Final = re.compile(r"[A-Za-z0-9+=._~-]{40,}")


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that ended by itself. Its output may hold secrets, so it is not shown."""

    status: int
    stdout: bytes
    stderr: bytes

    def __repr__(self) -> str:
        return f"<Ended {self.status}>"


class StillRunning(Exception):
    """The child did not end in time and was killed; `complaint` is its last line on stderr."""

    def __init__(self, complaint: str) -> None:
        super().__init__("the child process did not end in time")
        self.complaint = complaint


async def run(
    command: Sequence[str],
    *,
    within_s: float,
    environment: Mapping[str, str] | None = None,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
) -> Ended:
    """Run a command and take what it prints; of each stream the first `max_output_bytes`.

    `environment` replaces ours. Cancelling kills the child and all that it started.

    Raises:
        OSError: it cannot be started. StillRunning: it did not end in time.
    """
    try:
        process = await anyio.open_process(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except ValueError as error:  # NUL, or "=" in a variable's name
        raise OSError(errno.EINVAL, "the command or its environment cannot be passed on") from error
    stdout, stderr = bytearray(), bytearray()
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        with anyio.fail_after(within_s):
            async with anyio.create_task_group() as group:
                group.start_soon(_drain, process.stdout, stdout, max_output_bytes)
                group.start_soon(_drain, process.stderr, stderr, max_output_bytes)
                status = await process.wait()
                group.cancel_scope.deadline = anyio.current_time() + _DRAIN_S
    except TimeoutError:
        raise StillRunning(last_line(stderr)) from None
    finally:
        await _end(process)
    return Ended(status, bytes(stdout), bytes(stderr))


def last_line(stderr: bytes | bytearray) -> str:
    """The last line that says something, fit to be shown: no escapes, no tokens, one line."""
    text = _ESCAPE.sub("", stderr.decode("utf-8", "replace"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    line = next((line for line in reversed(lines) if line), "")
    shown = "".join(letter if letter.isprintable() else " " for letter in line)
    return _UNBROKEN.sub("…", blank_out(shown))[:_LINE_CHARACTERS]


async def _drain(stream: ByteReceiveStream, into: bytearray, most_bytes: int) -> None:
    """Read to the end, so that the child never blocks on a full pipe, and keep the first bytes."""
    async for chunk in stream:
        into += chunk[: max(most_bytes - len(into), 0)]


async def _end(process: Process) -> None:
    """Leave nothing running of a child that has not ended by itself; close its pipes."""
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            # Its group has its own number: it leads the session that it was started in.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await process.aclose()
