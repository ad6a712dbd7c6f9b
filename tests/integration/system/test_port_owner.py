"""Who listens on a port."""

from __future__ import annotations

import os
import socket

import pytest

from llmgwd.system.port_owner import PortOwner, port_owner, read_lsof


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_the_owner_is_found_by_pid_and_name(family: int, host: str) -> None:
    with socket.create_server((host, 0), family=family) as listener:
        owner = port_owner(listener.getsockname()[1])

    assert owner is not None
    assert owner.pid == os.getpid()
    assert owner.name.startswith(("python", "pytest"))


def test_a_port_that_nobody_listens_on_has_no_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert port_owner(port) is None


def test_lsof_is_read() -> None:
    assert read_lsof("p4711\ncnginx\nf6\n") == PortOwner(4711, "nginx")
    assert read_lsof("") is None
