"""Files that may be something else: read whole, or refused with the system's kind of error."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from llmgwctl.rules import regular_file


def test_a_pipe_and_a_device_are_no_files(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = threading.active_count()

    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            regular_file.read(path)
    assert threading.active_count() == before


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 11)

    assert regular_file.read(file, 11) == b"x" * 11
    with pytest.raises(OSError, match="above 10 bytes"):
        regular_file.read(file, 10)


def test_a_path_that_is_none_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="not a path"):
        regular_file.read("a\0b")


def test_text_has_the_line_ends_of_python(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a\r\nb\rc\n")

    assert regular_file.read_text(file) == "a\nb\nc\n"
    file.write_bytes(b"\xff")
    with pytest.raises(OSError, match="not UTF-8"):
        regular_file.read_text(file)
