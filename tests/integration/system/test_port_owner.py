"""Who listens at an address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llmgwd.system.port_owner import PortOwner, port_owner, read_lsof, remedy_for_taken

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENER = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""


@pytest.fixture
def others() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for each in started:
        each.kill()
        each.wait()


def listen(others: list[subprocess.Popen[str]], host: str, port: int = 0) -> tuple[int, int]:
    """Have another program listen; give its pid and port."""
    program = subprocess.Popen(
        [sys.executable, "-c", _LISTENER, host, str(port)], stdout=subprocess.PIPE, text=True
    )
    others.append(program)
    assert program.stdout is not None
    return program.pid, int(program.stdout.readline())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_owner_is_found_by_pid_and_name(others: list[subprocess.Popen[str]], host: str) -> None:
    pid, port = listen(others, host)

    owner = port_owner(host, port)

    assert owner is not None
    assert owner.pid == pid
    assert owner.name.startswith("python")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_who_listens_at_every_address_is_in_the_way_of_any(
    others: list[subprocess.Popen[str]], host: str
) -> None:
    pid, port = listen(others, host)

    owner = port_owner("127.0.0.1" if host == "0.0.0.0" else "::1", port)

    assert owner is not None
    assert owner.pid == pid


def test_who_holds_the_port_of_another_address_is_not_in_the_way(
    others: list[subprocess.Popen[str]],
) -> None:
    _, port = listen(others, "127.0.0.1")

    assert port_owner("::1", port) is None


def test_this_process_is_never_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert port_owner("127.0.0.1", listener.getsockname()[1]) is None


def test_a_port_that_no_one_listens_on_has_no_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert port_owner("127.0.0.1", port) is None


LSOF = "p4711\ncnginx\nf6\nn*:4000\np12\ncother\nf7\nn127.0.0.1:4000\nn[::1]:4000\n"


def test_lsof_is_read() -> None:
    assert read_lsof(LSOF, "127.0.0.1", 1) == PortOwner(4711, "nginx")
    assert read_lsof(LSOF, "127.0.0.1", 4711) == PortOwner(12, "other")
    assert read_lsof("p12\ncother\nf7\nn[::1]:4000\n", "127.0.0.1", 1) is None
    assert read_lsof("", "127.0.0.1", 1) is None


def test_a_name_is_one_short_line() -> None:
    owner = read_lsof(f"p12\nc\x1b[31m{'x' * 100}\nf7\nn*:4000\n", "127.0.0.1", os.getpid())

    assert owner is not None
    assert owner.name.isprintable()
    assert len(owner.name) == 40


def test_the_remedy_is_one_command() -> None:
    assert remedy_for_taken(4000, PortOwner(7, "nginx")) == "kill 7"
    for name in ("llmgwd", "python3.13 llmgwd"):
        assert "kill" not in remedy_for_taken(4000, PortOwner(7, name))
    assert remedy_for_taken(4000, None) == "sudo ss -ltnp 'sport = :4000'"
