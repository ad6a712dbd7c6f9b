"""What llmgwctl says where no daemon answers as one should."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from client_process import run

from llmgwctl.api.client import Client
from llmgwctl.errors import NotRunning, Unreachable, UsageError
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client.plain_daemon import Served


def test_a_socket_path_too_long_is_said_with_both_numbers() -> None:
    with pytest.raises(UsageError, match=r"has 2\d\d bytes, and \w+ allows 10[37]"):
        Client("/tmp/" + "x" * 200).status()


def test_nobody_at_the_socket_is_not_running(folder: Path) -> None:
    left = folder / "left.sock"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(left))

    for path in (str(left), str(folder / "never.sock")):
        with pytest.raises(NotRunning):
            Client(path).status()
        done = run(path, "status")
        assert done.returncode == Exit.UNREACHABLE
        assert done.stderr.startswith("llmgwctl: llmgwd is not running")
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_socket_of_another_user_is_refused_unasked(served: Served) -> None:
    os.chown(served.path, 12345, 12345)

    with pytest.raises(Unreachable, match="belongs to uid 12345, not to you"):
        Client(served.path).status()

    assert served.server.requests_count == 0


def test_a_file_that_is_no_socket_is_said_to_be_none(folder: Path) -> None:
    (folder / "letter").write_text("")

    with pytest.raises(Unreachable, match="not a socket"):
        Client(str(folder / "letter")).status()


@contextmanager
def answering(folder: Path, answer: bytes, *, hangs: bool = False) -> Iterator[str]:
    """Listen, and give each client these bytes, whatever is asked."""
    path = str(folder / "odd.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        done = threading.Event()

        def serve_one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if hangs:
                    done.wait(30)

        thread = threading.Thread(target=serve_one)
        thread.start()
        yield path
        done.set()
        thread.join()


OK_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (OK_HEAD + b"\r\n" + b'{"api": 2, "forwards": "new"}', "speaks v1 .* this llmgwd v2"),
        (
            b'HTTP/1.0 404 Not Found\r\n\r\n{"error":{"code":"route-unknown",'
            b'"message":"m","remedy":""}}',
            "is older than this llmgwctl: m; restart it",
        ),
        (OK_HEAD + b"Content-Length: 100\r\n\r\n{", "broke off after 1 of 100 bytes"),
        (OK_HEAD + b"Content-Le", "closed the connection without an answer"),
        (b"", "closed the connection without an answer"),
        (OK_HEAD + b"\r\n{half", "not JSON"),
        (OK_HEAD + b"\r\n[]", "none at all"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        (b"HTTP/1.0 418 \r\n\r\nshort and stout", "status 418 and no reason"),
    ],
)
def test_an_answer_that_cannot_be_right_is_told_apart_from_no_daemon(
    folder: Path, answer: bytes, complaint: str
) -> None:
    with answering(folder, answer) as path:
        done = run(path, "status")

    assert done.returncode == Exit.UNREACHABLE
    assert re.search(complaint, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_daemon_that_hangs_is_named_with_its_pid(folder: Path) -> None:
    with (
        answering(folder, b"", hangs=True) as path,
        pytest.raises(Unreachable, match=r"gave no answer within 0\.05 s") as caught,
    ):
        Client(path, timeout_s=0.05).status()

    if sys.platform == "linux":
        assert f"pid {os.getpid()}" in str(caught.value)


def test_a_new_shell_waits_a_second_for_a_daemon_that_hangs_and_not_five(folder: Path) -> None:
    with answering(folder, b"", hangs=True) as path:
        done = run(path, "env")

    assert done.returncode == Exit.UNREACHABLE
    assert "gave no answer within 1 s" in done.stderr
