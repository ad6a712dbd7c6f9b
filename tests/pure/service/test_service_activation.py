"""Sockets that were bound before the daemon began."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from llmgwd.config.model import ListenAddress
from llmgwd.service.activation import Inherited, from_environment
from llmgwd.service.launchd import activated


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def _address(sock: socket.socket) -> ListenAddress:
    return ListenAddress(*sock.getsockname()[:2])


def test_descriptors_are_ours_only_when_the_variables_name_us() -> None:
    def environ(pid: str) -> dict[str, str]:
        return {"LISTEN_FDS": "2", "LISTEN_PID": pid, "LISTEN_FDNAMES": "llmgw:", "PATH": "/bin"}

    ours, others = environ("42"), environ("43")

    assert from_environment(ours, own_pid=42) == ((3, "llmgw"), (4, ""))
    assert from_environment(others, own_pid=42) == ()
    assert ours == others == {"PATH": "/bin"}


@pytest.mark.parametrize("count", ["", "-1", "many"])
def test_a_count_that_is_none_gives_nothing(count: str) -> None:
    assert from_environment({"LISTEN_FDS": count, "LISTEN_PID": "42"}, own_pid=42) == ()


def test_a_socket_taken_and_closed_can_be_taken_again(listening: socket.socket) -> None:
    inherited = Inherited([listening])
    for _ in range(2):
        taken = inherited.take(_address(listening))
        assert taken is not None
        with taken, socket.create_connection(listening.getsockname()[:2], 5) as client:
            accepted, peer = taken.accept()
            accepted.close()
            assert peer == client.getsockname()


def test_an_address_that_nobody_holds_is_left_to_be_bound(listening: socket.socket) -> None:
    wanted = ListenAddress("127.0.0.1", 1)

    assert Inherited([listening]).take(wanted) is None


def test_an_address_that_no_forward_wants_is_named(listening: socket.socket) -> None:
    inherited = Inherited([listening])

    assert inherited.unwanted([ListenAddress("::1", 1)]) == (listening.getsockname(),)
    assert inherited.unwanted([_address(listening)]) == ()


_CHILD = """
import os, subprocess, sys
from llmgwd.config.model import ListenAddress
from llmgwd.service.activation import inherit

inherited = inherit()
(address,) = inherited.addresses
taken = inherited.take(ListenAddress(*address))
look = "import os; print(sorted(os.listdir('/proc/self/fd')), os.environ.get('LISTEN_FDS'))"
command = [sys.executable, "-c", look]
plugin = subprocess.run(command, capture_output=True, text=True, close_fds=False)
print(address[1], taken.getblocking(), plugin.stdout)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks into /proc")
def test_what_the_daemon_starts_finds_neither_socket_nor_variable(
    listening: socket.socket,
) -> None:
    os.set_inheritable(listening.fileno(), True)
    # Descriptor 4 is a listening socket of another kind, and 5 none at all: both left alone.
    with socket.socket(socket.AF_UNIX) as other, open(os.devnull) as file:
        script = (
            f"exec 3<&{listening.fileno()} 4<&{other.fileno()} 5<&{file.fileno()}; "
            'LISTEN_PID=$$ LISTEN_FDS=3 exec "$0" -c "$1"'
        )
        shell = subprocess.run(
            ["bash", "-c", script, sys.executable, _CHILD],
            pass_fds=(listening.fileno(), other.fileno(), file.fileno()),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert shell.stderr == ""
    port, is_blocking, rest = shell.stdout.split(maxsplit=2)
    assert int(port) == listening.getsockname()[1]
    assert is_blocking == "False"
    descriptors, variable = rest.rsplit(maxsplit=1)
    assert "'3'" not in descriptors or "'4'" not in descriptors
    assert variable == "None"


class _Launchd:
    """What libSystem exports, with ctypes' calling of it."""

    def __init__(self, result: int, descriptors: tuple[int, ...]) -> None:
        self._result = result
        self._descriptors = descriptors
        self.asked: list[bytes] = []

    def launch_activate_socket(self, name: bytes, numbers: object, count: object) -> int:
        self.asked.append(name)
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        size = ctypes.sizeof(ctypes.c_int)
        memory = libc.malloc(ctypes.c_size_t(max(1, len(self._descriptors)) * size))
        array = ctypes.cast(memory, ctypes.POINTER(ctypes.c_int))
        for index, number in enumerate(self._descriptors):
            array[index] = number
        numbers._obj.contents = array.contents  # type: ignore[attr-defined]
        count._obj.value = len(self._descriptors)  # type: ignore[attr-defined]
        return self._result


def test_launchd_hands_over_every_socket_of_the_name() -> None:
    launchd = _Launchd(0, (5, 7))

    assert activated("llmgw", launchd) == (5, 7)
    assert launchd.asked == [b"llmgw"]


def test_a_process_that_launchd_did_not_start_gets_nothing() -> None:
    assert activated("llmgw", _Launchd(3, ())) == ()


def test_a_system_without_launchd_has_nothing_to_hand_over() -> None:
    assert activated("llmgw", object()) == ()
