"""The control API over its socket: what is answered, and which mistake has which status."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from requests_to_it import ask, raw
from structlog.testing import capture_logs

from llmgwctl.api.client import Client
from llmgwctl.wire import State, Status
from support.client import sample
from support.client.plain_daemon import Served, serve

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwctl.api.transport import Answer


def error_of(answer: Answer) -> dict[str, str]:
    found: dict[str, str] = json.loads(answer.body)["error"]
    assert set(found) == {"code", "message", "remedy"}
    assert answer.headers["content-type"].startswith("application/json")
    return found


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


def test_a_client_that_leaves_before_its_answer_is_no_mistake_of_ours(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status_for_one_that_left() -> Status:
        for connection in served.server.connections:
            assert connection.transport is not None
            connection.transport.abort()
        return served.daemon.value

    monkeypatch.setattr(served.daemon, "status", status_for_one_that_left)

    with capture_logs() as logged, socket.socket(socket.AF_UNIX) as client:
        client.connect(served.path)
        client.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")

        assert client.recv(1) == b""
    assert logged == []


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
