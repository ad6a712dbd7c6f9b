"""The control socket: who may make it, who is let in, and what happens when its file is gone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llmgwctl.api.client import Client
from llmgwctl.api.transport import LineStream
from llmgwctl.wire import EventKind
from llmgwd.control import api
from llmgwd.control.peer import uid_of_xucred
from llmgwd.control.socket import bind_control_socket
from llmgwd.errors import Blocked
from support.client import sample
from support.client.plain_daemon import Served, serve


def test_the_socket_is_0600_in_a_0700_folder(served: Served) -> None:
    assert stat.S_IMODE(os.stat(served.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(served.path)).st_mode) == 0o700


def test_a_second_daemon_refuses_with_the_first_ones_pid(served: Served) -> None:
    code = "import sys; from llmgwd.control import socket; socket.bind_control_socket(sys.argv[1])"

    second = subprocess.run(
        [sys.executable, "-c", code, served.path], capture_output=True, text=True, check=False
    )

    assert f"llmgwd is already running (pid {os.getpid()})" in second.stderr
    assert Client(served.path).status()["api"] == 1


def test_a_socket_file_left_by_a_crash_is_replaced(folder: Path) -> None:
    left = folder / "control.sock"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(left))

    held = bind_control_socket(str(left))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(left))
    held.release()
    assert not left.exists()


def test_a_file_that_is_no_socket_is_left_alone(folder: Path) -> None:
    other = folder / "control.sock"
    other.write_text("a letter")

    with pytest.raises(Blocked, match="no socket"):
        bind_control_socket(str(other))

    assert other.read_text() == "a letter"


def test_a_path_too_long_for_a_socket_is_refused_with_both_numbers(folder: Path) -> None:
    with pytest.raises(Blocked, match=r"has 2\d\d bytes, and 10[37] are allowed"):
        bind_control_socket(str(folder / ("x" * 200)))


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_folder_that_we_did_not_make_keeps_its_mode(folder: Path, mode: int) -> None:
    other = folder / "llmgw-other"
    other.mkdir()
    other.chmod(mode)

    bind_control_socket(str(other / "control.sock")).release()

    assert stat.S_IMODE(other.stat().st_mode) == mode


def test_a_folder_that_others_may_write_to_is_refused_and_left_alone(folder: Path) -> None:
    folder.chmod(0o777)

    with pytest.raises(Blocked, match="others may write"):
        bind_control_socket(str(folder / "control.sock"))

    assert stat.S_IMODE(folder.stat().st_mode) == 0o777


def test_the_folder_that_we_make_is_ours_alone_whatever_the_umask_is(folder: Path) -> None:
    before = os.umask(0)
    try:
        bind_control_socket(str(folder / "made" / "control.sock")).release()
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / "made").stat().st_mode) == 0o700


@pytest.mark.parametrize("gone", ["control.sock", "the folder"])
def test_a_socket_that_is_gone_is_bound_again_at_its_path(folder: Path, gone: str) -> None:
    path = folder / "llmgw" / "control.sock"
    held = bind_control_socket(str(path))
    shutil.rmtree(path.parent) if gone == "the folder" else path.unlink()
    was_reachable = held.is_reachable

    held.bind_again()

    assert (was_reachable, held.is_reachable) == (False, True)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    held.release()


def test_a_path_that_another_daemon_took_meanwhile_stays_that_ones(folder: Path) -> None:
    path = folder / "llmgw" / "control.sock"
    held = bind_control_socket(str(path))
    shutil.rmtree(path.parent)
    other = bind_control_socket(str(path))

    with pytest.raises(Blocked, match="already running"):
        held.bind_again()

    assert other.is_reachable
    held.release()
    other.release()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    foreign = folder / "llmgw-1"
    foreign.mkdir(mode=0o777)
    os.chown(foreign, 12345, 12345)

    with pytest.raises(Blocked, match="belongs to uid 12345"):
        bind_control_socket(str(foreign / "control.sock"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_users_process_is_refused_though_the_modes_would_let_it_in(served: Served) -> None:
    for path, mode in ((os.path.dirname(served.path), 0o755), (served.path, 0o666)):
        os.chmod(path, mode)
    os.chmod(Path(served.path).parent.parent, 0o755)
    code = (
        "import os, socket, sys; os.setgid(12345); os.setuid(12345);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "sys.stdout.buffer.write(s.recv(65536))"
    )

    python = os.path.realpath(sys.executable)
    stranger = subprocess.run(
        [python, "-S", "-c", code, served.path], capture_output=True, check=False
    )

    if b"Permission denied" in stranger.stderr:
        pytest.skip("this interpreter is in a folder that other users may not enter")
    assert stranger.stdout.startswith(b"HTTP/1.0 403 "), stranger.stderr
    assert b'"code":"forbidden"' in stranger.stdout


def test_a_deleted_socket_is_served_again_and_watchers_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "LOOK_S", 0.05)

    with (
        serve(folder, sample.SEVERAL) as served,
        LineStream(served.path, "/v1/events") as stream,
    ):
        lines = stream.lines(20)
        next(lines)
        os.unlink(served.path)
        served.until(lambda: os.path.exists(served.path))
        served.do(served.daemon.tell, EventKind.ROUTE_UP)

        assert Client(served.path).status()["api"] == 1
        assert json.loads(next(lines))["kind"] == "route-up"


def test_macos_peer_credentials_are_read_by_the_layout_of_its_header() -> None:
    xucred = (0).to_bytes(4, sys.byteorder) + (501).to_bytes(4, sys.byteorder) + bytes(68)

    assert uid_of_xucred(xucred) == 501
    assert uid_of_xucred((1).to_bytes(4, sys.byteorder) + xucred[4:]) is None
    assert uid_of_xucred(b"") is None
