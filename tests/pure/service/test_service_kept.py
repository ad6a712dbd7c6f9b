"""What of idle connections is given to systemd, and what is taken back."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgwd.service.kept_connections import KeptConnections, is_kept
from llmgwd.service.notify import Notifier


class Manager:
    """Keeps descriptors by their names, as systemd does."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(self.address)
        self._sock.setblocking(False)

    def read(self) -> list[tuple[list[str], int]]:
        """Give the lines of each message that has come, and how many descriptors were with it."""
        found = []
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._sock, 4096, 253)
            except BlockingIOError:
                return found
            for descriptor in descriptors:
                os.close(descriptor)
            found.append((message.decode().split("\n"), len(descriptors)))

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        yield sock


def test_no_more_is_given_than_systemd_keeps(manager: Manager, sock: socket.socket) -> None:
    kept = KeptConnections(Notifier(manager.address, keeps=450))

    assert kept.keep("litellm", True, [sock] * 300) == 300
    assert kept.keep("litellm", False, [sock] * 300) == 150
    assert not kept.can_keep
    assert kept.keep("litellm", True, [sock]) == 0
    first, second = "FDNAME=llmgw-kept-1-http-litellm", "FDNAME=llmgw-kept-1-new-litellm"
    assert manager.read() == [
        (["FDSTORE=1", first], 200),
        (["FDSTORE=1", first], 100),
        (["FDSTORE=1", second], 150),
    ]


def test_what_no_manager_takes_is_not_given(tmp_path: Path, sock: socket.socket) -> None:
    kept = KeptConnections(Notifier(str(tmp_path / "missing"), keeps=10))

    assert kept.keep("litellm", True, [sock]) == 0


def test_a_forward_gets_its_own_and_what_is_left_is_closed(manager: Manager) -> None:
    names = [
        "llmgw-kept-1-http-litellm",
        "llmgw-kept-1-new-litellm",
        "llmgw-kept-1-http-litellm-2",
        "llmgw-kept-2-http-litellm",
    ]
    assert all(map(is_kept, names))
    sockets = [socket.socket() for _ in names]
    found = zip(names, sockets, strict=True)
    kept = KeptConnections(Notifier(manager.address, keeps=10), found)

    assert manager.read() == []
    taken = kept.take("litellm")
    assert taken == [(sockets[0], True), (sockets[1], False)]
    # From here on systemd has none of them: closed by us, they are closed to their clients.
    forgotten = [["FDSTOREREMOVE=1", f"FDNAME={name}"] for name in names]
    assert manager.read() == [(lines, 0) for lines in forgotten[:2]]
    assert kept.take("litellm") == []
    kept.close_rest()
    assert manager.read() == [(lines, 0) for lines in forgotten[2:]]
    assert [sock.fileno() >= 0 for sock in sockets] == [True, True, False, False]
    for sock, _ in taken:
        sock.close()


@pytest.mark.parametrize(("said", "keeps"), [("512", 512), ("", 0), ("many", 0), ("-1", 0)])
def test_how_many_are_kept_is_read_and_removed(said: str, keeps: int) -> None:
    environ = {"FDSTORE": said, "NOTIFY_SOCKET": "/run/notify"}

    assert Notifier.from_environment(environ).keeps == keeps
    assert environ == {}
    assert Notifier.from_environment({"FDSTORE": said}).keeps == 0
