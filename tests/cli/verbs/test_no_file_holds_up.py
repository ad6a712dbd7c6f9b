"""Files that the client reads, replaced by what is none: a sentence, no hang and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import client_process
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.client.plain_daemon import Served


def _large(path: Path) -> None:
    path.touch()
    os.truncate(path, 3 << 30)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


# What stands in a file's place, and how the reason is worded.
ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a FIFO": (os.mkfifo, "not a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "a folder": (Path.mkdir, "Is a directory"),
    "a link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "a socket": (_socket, "No such device"),
    "3 GiB": (_large, "above 1048576 bytes"),
    "bytes that are no UTF-8": (lambda path: path.write_bytes(b'a = "\xff"'), "not UTF-8"),
    "100,000 brackets": (lambda path: path.write_text("a: " + "[" * 100_000), "no JSON"),
    "5,000 digits": (lambda path: path.write_text('{"a": ' + "9" * 5000 + "}"), "no JSON"),
}
FILES = (
    ".claude/settings.json",
    ".codex/config.toml",
    ".config/llmgw/config.toml",
    ".aider.conf.yml",
)
VERBS = (
    ("--socket", "none", "config", "show"),
    ("setup", "claude"),
    ("setup", "codex"),
    ("setup", "aider"),
    ("env",),
    ("doctor",),
    ("service", "install", "--print"),
)
# All verbs in one process: most of the time of each would be the interpreter's start.
PROGRAM = """
import sys
from llmgwctl.__main__ import main
for words in sys.argv[1:]:
    print(words, main(words.split()), file=sys.stderr, flush=True)
main(["run", "echo", "ran"])
"""


@pytest.mark.parametrize("odd", ODD)
def test_no_file_in_a_settings_place_holds_a_verb_up(
    served: Served, folder: Path, odd: str
) -> None:
    make, reason = ODD[odd]
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(" ".join(words) for words in VERBS)],
        env=client_process.environment(served.path, HOME=str(folder)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.stdout.endswith("ran\n"), ended.stderr
    assert "Traceback" not in ended.stderr
    assert reason in ended.stderr
    for words in VERBS:
        assert f"\n{' '.join(words)} " in f"\n{ended.stderr}"
