"""The program in the simulated pods behaves as LiteLLM on uvicorn was seen to behave."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from cluster_client import get
from gateway_client import ask, connect, read_all

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

MASTER = "sk-demo-master-key"
A = {
    "message": "Authentication Error, No api key passed in.",
    "type": "auth_error",
    "param": "None",
    "code": "401",
}
B = {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}
D = {
    "message": (
        "Authentication Error, LiteLLM Virtual Key expected. Received=nope, "
        "expected to start with 'sk-'."
    ),
    "type": "auth_error",
    "param": "None",
    "code": "401",
}


@pytest.fixture
def gateway(simulated_cluster: RemoteCluster) -> Iterator[socket.socket]:
    """A TCP connection straight to the first pod's program."""
    with connect(simulated_cluster) as opened:
        yield opened


@pytest.mark.parametrize(
    ("key", "status", "error"), [(None, 401, A), ("sk-wrong", 400, B), ("nope", 400, B)]
)
def test_keys_without_a_database(
    simulated_cluster: RemoteCluster, key: str | None, status: int, error: object
) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    for path in ("/v1/models", "/health", "/key/info"):
        assert ask(simulated_cluster, path, **headers)[::2] == (status, {"error": error})


def test_keys_with_a_database(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_gateway(has_database=True)

    status, _, wrong = ask(simulated_cluster, "/v1/models", Authorization="Bearer sk-wrong-abcd")
    assert (status, wrong["error"]["type"]) == (401, "token_not_found_in_db")
    assert "Received API Key = sk-...abcd, Key Hash (Token) =" in wrong["error"]["message"]
    assert ask(simulated_cluster, "/v1/models", x_api_key="nope")[::2] == (401, {"error": D})


def test_the_right_key_lists_the_models(simulated_cluster: RemoteCluster) -> None:
    status, headers, body = ask(simulated_cluster, "/v1/models", Authorization=f"Bearer {MASTER}")

    assert (status, headers["server"]) == (200, "uvicorn")
    assert [model["id"] for model in body["data"]] == ["claude-sonnet", "claude-haiku", "gpt-mini"]


def test_readiness_of_both_generations(simulated_cluster: RemoteCluster) -> None:
    old = ask(simulated_cluster, "/health/readiness")[2]
    simulated_cluster.faults.set_gateway(version="1.104.9")
    new = ask(simulated_cluster, "/health/readiness")[2]

    assert (old["status"], old["db"], old["litellm_version"]) == (
        "healthy",
        "Not connected",
        "1.80.0",
    )
    assert new == {"status": "healthy", "db": "Not connected"}


def test_health_is_counted_as_paid(simulated_cluster: RemoteCluster) -> None:
    ask(simulated_cluster, "/health", Authorization=f"Bearer {MASTER}")
    ask(simulated_cluster, "/health/liveliness")

    assert simulated_cluster.faults.counts()["paid_health_calls"] == 1


def test_chat_and_messages_stream_to_their_marks(simulated_cluster: RemoteCluster) -> None:
    asked = {"model": "claude-sonnet", "stream": True, "pieces": 3, "gap_s": 0, "max_tokens": 9}

    chat = ask(simulated_cluster, "/v1/chat/completions", asked, x_api_key=MASTER)
    messages = ask(simulated_cluster, "/v1/messages", asked, x_api_key=MASTER)

    assert chat[1]["content-type"] == "text/event-stream; charset=utf-8"
    assert chat[2].endswith("data: [DONE]\n\n\r\n0\r\n\r\n")
    assert "event: message_start" in messages[2]
    assert "event: message_stop" in messages[2]
    assert messages[2].endswith("0\r\n\r\n")


def test_an_unknown_model_is_refused_in_openais_shape(simulated_cluster: RemoteCluster) -> None:
    status, _, body = ask(simulated_cluster, "/v1/messages", {"model": "nope"}, x_api_key=MASTER)

    assert status == 400
    assert body["error"]["message"] == (
        "400: {'error': 'completion: Invalid model name passed in model=nope'}"
    )


def test_key_info_needs_a_database_and_a_key_of_its_own(simulated_cluster: RemoteCluster) -> None:
    assert ask(simulated_cluster, "/key/info", x_api_key=MASTER)[0] == 500

    simulated_cluster.faults.set_gateway(has_database=True)
    simulated_cluster.faults.add_key(key="sk-mine", alias="me", spend=1.5)
    assert ask(simulated_cluster, "/key/info", x_api_key=MASTER)[0] == 404
    assert ask(simulated_cluster, "/key/info", x_api_key="sk-mine")[2]["info"]["spend"] == 1.5


def test_a_half_close_right_after_the_request_drops_the_answer(gateway: socket.socket) -> None:
    gateway.sendall(get("/slow?ms=50"))
    gateway.shutdown(socket.SHUT_WR)

    assert read_all(gateway) == b""


def test_a_kept_connection_is_closed_after_five_seconds(gateway: socket.socket) -> None:
    gateway.sendall(get("/health/liveliness"))
    assert gateway.recv(65536).endswith(b'"I\'m alive!"')
    begin = time.monotonic()

    assert gateway.recv(1) == b""
    assert time.monotonic() - begin > 4.5


def test_pipelined_requests_are_answered_in_order(gateway: socket.socket) -> None:
    paths = ["/slow?ms=30", "/whoami", "/health/liveliness"]
    gateway.sendall(b"".join(map(get, paths[:-1])) + get(paths[-1], "Connection: close"))

    answers = read_all(gateway).split(b"HTTP/1.1 200 OK")[1:]

    assert len(answers) == 3
    assert answers[2].endswith(b'"I\'m alive!"')


def test_sigterm_lets_a_stream_finish_and_closes_the_idle(
    simulated_cluster: RemoteCluster,
) -> None:
    with connect(simulated_cluster) as idle, connect(simulated_cluster) as streaming:
        idle.sendall(get("/health/liveliness"))
        idle.recv(65536)
        streaming.sendall(get("/sse?n=10&ms=40"))
        streaming.recv(65536)
        address = streaming.getpeername()
        simulated_cluster.faults.delete_pod()

        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 2)
        assert read_all(streaming).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_echo_returns_the_body_and_its_sum(simulated_cluster: RemoteCluster) -> None:
    body = bytes(range(256)) * 5000
    chunked = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part)
        for part in (body[at : at + 9999] for at in range(0, len(body), 9999))
    )
    head = b"POST /echo?sum=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with connect(simulated_cluster) as opened:
        opened.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        plain = read_all(opened).partition(b"\r\n\r\n")[2]
    with connect(simulated_cluster) as opened:
        opened.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n")
        assert hashlib.sha256(body).hexdigest().encode() in read_all(opened)

    assert plain == body + hashlib.sha256(body).hexdigest().encode()


def test_upload_counts_and_sums(gateway: socket.socket) -> None:
    body = bytes(1_000_000)
    gateway.sendall(
        b"POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
    )
    gateway.sendall(body)

    answer = json.loads(read_all(gateway).partition(b"\r\n\r\n")[2])

    assert (answer["bytes"], answer["sha256"]) == (1_000_000, hashlib.sha256(body).hexdigest())


def test_doubled_requests_are_seen_over_all_pods(simulated_cluster: RemoteCluster) -> None:
    for _ in range(2):
        ask(simulated_cluster, "/whoami", x_request_id="one")
    simulated_cluster.faults.delete_pod(graceful=False)
    ask(simulated_cluster, "/whoami", x_request_id="two")

    assert simulated_cluster.faults.seen() == {"one": 2, "two": 1}
