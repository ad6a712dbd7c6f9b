"""A terminal with a person before it, for programs that are more than a line."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

ESC = "\x1b"
_CODES = re.compile(r"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[()=>78].?")
_WAIT_S = 60.0


class Screen:
    """What the program has written; `keys` are its input."""

    def __init__(self, pid: int, terminal: int) -> None:
        self.pid = pid
        self._terminal = terminal
        self._written = ""

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def until(self, words: str) -> None:
        """Wait until words are shown that were not before; how they are spaced is not looked at."""
        assert self.shows_within(words, _WAIT_S), f"no {words!r} in {self._shown()[-2000:]}"

    def shows_within(self, words: str, seconds: float) -> bool:
        """As `until`; say whether they were shown by then."""
        wanted = "".join(words.split())
        deadline = time.monotonic() + seconds
        while wanted not in self._shown():
            if time.monotonic() >= deadline:
                return False
            if select.select([self._terminal], [], [], 0.1)[0]:
                self._written += os.read(self._terminal, 1 << 16).decode(errors="replace")
        self._written = ""
        return True

    def _shown(self) -> str:
        return "".join(_CODES.sub("", self._written).split())


def start_on_a_terminal(
    command: Sequence[str], environ: Mapping[str, str], folder: Path | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a program in a session of its own; give it, and the other end of its terminal.

    Not by `pty.fork`: the process of the tests has threads, and after a fork a lock that one of
    them held is never released. Python warns of it since 3.12.
    """
    terminal, programs_end = pty.openpty()
    setsid = shutil.which("setsid")
    assert setsid is not None
    try:
        process = subprocess.Popen(
            [setsid, "--ctty", *command],
            env=environ,
            cwd=folder,
            stdin=programs_end,
            stdout=programs_end,
            stderr=programs_end,
        )
    finally:
        os.close(programs_end)
    return process, terminal


@contextlib.contextmanager
def before_a_terminal(
    command: Sequence[str], environ: Mapping[str, str], folder: Path
) -> Iterator[Screen]:
    process, terminal = start_on_a_terminal(command, {**environ, "TERM": "xterm-256color"}, folder)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    try:
        yield Screen(process.pid, terminal)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
