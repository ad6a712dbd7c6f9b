"""The control API over its socket: who is let in, what is answered, who is cut."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llmgwctl.api.client import Client
from llmgwctl.api.transport import Answer, LineStream, request
from llmgwctl.wire import EventKind, State, Status
from llmgwd.control.peer import uid_of_xucred
from llmgwd.control.socket import claim
from llmgwd.errors import Blocked
from support import sample
from support.plain_daemon import Served, serve


def ask(served: Served, method: str, target: str) -> Answer:
    return request(served.path, method, target)


def error_of(answer: Answer) -> dict[str, str]:
    found: dict[str, str] = json.loads(answer.body)["error"]
    assert set(found) == {"code", "message", "remedy"}
    assert answer.headers["content-type"].startswith("application/json")
    return found


def raw(served: Served, sent: bytes) -> bytes:
    """Say anything and give all that is answered until the connection ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(served.path)
        # Who is refused at the door may find it closed already, and the answer there.
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(sent)
        received = b""
        # Who is shown the door with a request unread is told so by a reset after the answer.
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return received


def test_the_socket_is_0600_in_a_0700_folder(served: Served) -> None:
    assert stat.S_IMODE(os.stat(served.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(served.path)).st_mode) == 0o700


def test_a_second_daemon_refuses_with_the_first_ones_pid(served: Served) -> None:
    code = "import sys; from llmgwd.control.socket import claim; claim(sys.argv[1])"

    second = subprocess.run(
        [sys.executable, "-c", code, served.path], capture_output=True, text=True, check=False
    )

    assert f"llmgwd is already running (pid {os.getpid()})" in second.stderr
    assert Client(served.path).status()["api"] == 1


def test_a_socket_file_left_by_a_crash_is_replaced(folder: Path) -> None:
    left = folder / "control.sock"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(left))

    held = claim(str(left))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(left))
    held.release()
    assert not left.exists()


def test_a_file_that_is_no_socket_is_left_alone(folder: Path) -> None:
    other = folder / "control.sock"
    other.write_text("a letter")

    with pytest.raises(Blocked, match="no socket"):
        claim(str(other))

    assert other.read_text() == "a letter"


def test_a_path_too_long_for_a_socket_is_refused_with_both_numbers(folder: Path) -> None:
    with pytest.raises(Blocked, match=r"has 2\d\d bytes, and 10[37] are allowed"):
        claim(str(folder / ("x" * 200)))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    foreign = folder / "llmgw-1"
    foreign.mkdir(mode=0o777)
    os.chown(foreign, 12345, 12345)

    with pytest.raises(Blocked, match="belongs to uid 12345"):
        claim(str(foreign / "control.sock"))


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


def test_macos_peer_credentials_are_read_by_the_layout_of_its_header() -> None:
    xucred = (0).to_bytes(4, sys.byteorder) + (501).to_bytes(4, sys.byteorder) + bytes(68)

    assert uid_of_xucred(xucred) == 501
    assert uid_of_xucred((1).to_bytes(4, sys.byteorder) + xucred[4:]) is None
    assert uid_of_xucred(b"") is None


def test_status_is_the_daemons_own(served: Served) -> None:
    assert Client(served.path).status() == sample.SEVERAL


@pytest.mark.parametrize(
    ("status", "http_status"),
    [
        (sample.READY, 200),
        (sample.DEGRADED, 200),
        (sample.RECONNECTING, 503),
        (sample.STOPPED, 503),
        (sample.SEVERAL, 503),
        (sample.NONE, 503),
    ],
    ids=["ready", "degraded", "reconnecting", "all-stopped", "one-of-several", "none"],
)
def test_health_is_200_only_where_everything_wanted_serves(
    folder: Path, status: Status, http_status: int
) -> None:
    with serve(folder, status) as served:
        answer = ask(served, "GET", "/v1/health")

    assert answer.status == http_status
    assert json.loads(answer.body)["healthy"] is (http_status == 200)


def test_health_of_one_forward_is_judged_alone(served: Served) -> None:
    assert ask(served, "GET", "/v1/health?forward=litellm").status == 200
    assert ask(served, "GET", "/v1/health?forward=staging").status == 503


@pytest.mark.parametrize(
    ("act", "state"),
    [("stop", State.STOPPED), ("start", State.STARTING), ("restart", State.RECONNECTING)],
)
def test_an_act_answers_with_the_forward_as_it_is_then(
    served: Served, act: str, state: State
) -> None:
    answer = ask(served, "POST", f"/v1/forwards/litellm/{act}")

    assert (answer.status, json.loads(answer.body)["state"]) == (200, state)


def test_an_unknown_forward_is_404_and_offers_the_nearest(served: Served) -> None:
    answer = ask(served, "POST", "/v1/forwards/dashbord/stop")

    assert answer.status == 404
    assert error_of(answer)["remedy"] == "did you mean 'dashboard'?"


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "route-unknown"),
        ("GET", "/", 404, "route-unknown"),
        ("DELETE", "/v1/status", 405, "method-not-allowed"),
        ("GET", "/v1/reload", 405, "method-not-allowed"),
        ("GET", "/v1/health?forwrad=x", 400, "bad-request"),
        ("GET", "/v1/health?forward=a&forward=b", 400, "bad-request"),
        ("GET", "/v1/events?since_s=soon", 400, "bad-request"),
        ("GET", "/v1/events?since_s=-1", 400, "bad-request"),
        ("GET", "/v1/events?since_s=nan", 400, "bad-request"),
        ("GET", "/v1/events?follow=maybe", 400, "bad-request"),
    ],
)
def test_every_mistake_has_its_status_and_the_one_shape(
    served: Served, method: str, target: str, status: int, code: str
) -> None:
    answer = ask(served, method, target)

    assert (answer.status, error_of(answer)["code"]) == (status, code)


def test_405_says_what_is_allowed(served: Served) -> None:
    assert ask(served, "PATCH", "/v1/reload").headers["allow"] == "POST"


def test_what_is_no_http_is_400_in_the_same_shape(served: Served) -> None:
    answer = raw(served, b"\x16\x03\x01garbage\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head.split(b"\r\n")[0]
    assert json.loads(body)["error"]["code"] == "bad-request"


def test_a_bug_is_500_and_tells_nothing_of_its_inside(served: Served) -> None:
    served.daemon.is_broken = True

    answer = ask(served, "GET", "/v1/status")

    assert answer.status == 500
    assert error_of(answer)["code"] == "internal"
    assert b"a bug" not in answer.body


def test_a_configuration_with_a_mistake_is_422_with_its_sentence(served: Served) -> None:
    served.daemon.is_config_wrong = True

    answer = ask(served, "POST", "/v1/reload")

    assert (answer.status, error_of(answer)["code"]) == (422, "config-invalid")
    assert "70000" in error_of(answer)["message"]


def test_what_only_a_person_can_cure_is_409(served: Served) -> None:
    served.daemon.is_config_wrong = True

    answer = ask(served, "POST", "/v1/forwards/litellm/start")

    assert (answer.status, error_of(answer)["code"]) == (409, "port-taken")


def test_a_body_above_the_limit_is_413(served: Served) -> None:
    head = b"POST /v1/reload HTTP/1.0\r\nContent-Length: 70000\r\n\r\n"

    answer = raw(served, head + bytes(70000))

    assert b" 413 " in answer.split(b"\r\n")[0]


def test_who_does_not_finish_asking_is_cut(folder: Path) -> None:
    with serve(folder, sample.READY, ask_within_s=0.05) as served:
        assert raw(served, b"GET /v1/status HT") == b""
        assert b"408" in raw(served, b"POST /v1/reload HTTP/1.0\r\nContent-Length: 9\r\n\r\nhalf")
        assert ask(served, "GET", "/v1/status").status == 200


def test_who_does_not_take_the_answer_is_cut_and_the_others_go_on(folder: Path) -> None:
    # Far more than a socket's buffers hold.
    big = sample.status(*(sample.forward(f"forward-{n}") for n in range(4000)))
    with (
        serve(folder, big, take_within_s=0.05) as served,
        socket.socket(socket.AF_UNIX) as slow,
    ):
        slow.connect(served.path)
        slow.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")
        assert ask(served, "GET", "/v1/health").status == 200
        served.until(lambda: not served.server.connections)
        slow.settimeout(20)
        received = sum(map(len, iter(lambda: slow.recv(1 << 20), b"")))

    assert 0 < received < len(json.dumps(big))


def test_a_watch_begins_with_a_snapshot_and_goes_on_by_ones(served: Served) -> None:
    served.do(served.daemon.tell, EventKind.WOKE_UP)
    with LineStream(served.path, "/v1/events") as stream:
        lines = (json.loads(line) for line in stream.lines(20) if line)
        snapshot = next(lines)
        for state in (State.STOPPED, State.STARTING, State.READY):
            served.do(served.daemon.change, "litellm", state)

        events = [next(lines) for _ in range(3)]

    assert (snapshot["kind"], snapshot["seq"]) == ("snapshot", 1)
    assert snapshot["status"] == sample.SEVERAL
    assert [(event["seq"], event["state"]) for event in events] == [
        (2, "stopped"),
        (3, "starting"),
        (4, "ready"),
    ]


def test_the_past_that_is_asked_for_comes_before_the_snapshot(served: Served) -> None:
    served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, time="2001-01-01T00:00:00.000Z"))
    served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, time="2999-01-01T00:00:00.000Z"))

    events = list(Client(served.path).events(since_s=60, follow=False))

    assert [(event["seq"], event["kind"]) for event in events] == [(2, "woke-up"), (2, "snapshot")]


def test_a_watcher_that_falls_behind_meets_the_end(folder: Path) -> None:
    filler = "x" * 65536
    with serve(folder, sample.READY, take_within_s=60) as served:
        with LineStream(served.path, "/v1/events") as behind:
            served.until(lambda: served.daemon.watchers == 1)
            for _ in range(100):
                served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, message=filler))

            lines = [line for line in behind.lines(20) if line]

        assert 0 < len(lines) < 100
        assert json.loads(lines[0])["kind"] == "snapshot"


def test_a_watcher_that_leaves_is_forgotten_at_once(served: Served) -> None:
    with LineStream(served.path, "/v1/events"):
        served.until(lambda: served.daemon.watchers == 1)

    served.until(lambda: served.daemon.watchers == 0)


def test_a_hundred_watchers_at_once_are_all_told(served: Served) -> None:
    streams = [LineStream(served.path, "/v1/events") for _ in range(100)]
    served.until(lambda: served.daemon.watchers == 100)

    served.do(served.daemon.change, "litellm", State.STOPPED)

    for stream in streams:
        lines = (json.loads(line) for line in stream.lines(20) if line)
        assert [next(lines)["kind"] for _ in range(2)] == ["snapshot", "state-changed"]
        stream.close()
    assert ask(served, "GET", "/v1/status").status == 200


def test_above_the_limit_of_connections_the_next_gets_503(folder: Path) -> None:
    with serve(folder, sample.READY, connection_limit=1) as served:
        with LineStream(served.path, "/v1/events"):
            answer = raw(served, b"GET /v1/status HTTP/1.0\r\n\r\n")

        assert b" 503 " in answer.split(b"\r\n")[0]
        assert b"too-many-connections" in answer


def test_a_quiet_watch_shows_signs_of_life(folder: Path) -> None:
    with (
        serve(folder, sample.READY, heartbeat_s=0.01) as served,
        LineStream(served.path, "/v1/events") as stream,
    ):
        lines = stream.lines(20)
        assert json.loads(next(lines))["kind"] == "snapshot"
        assert [next(lines) for _ in range(3)] == [b"", b"", b""]
