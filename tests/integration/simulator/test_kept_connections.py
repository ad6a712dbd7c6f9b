"""Kept connections through the simulated cluster end as they do on a real one.

Figures of a real 1.36 cluster: uvicorn ends an idle connection after 5 s, containerd reports that
1.00 s later, and plain kubectl loses a third of the requests sent 4.9 to 5.1 s after the last
answer.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from cluster_client import Spdy, get, pod_name, spdy_to

from llmgwd.protocol import spdy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmgwsim.remote import RemoteCluster
    from peers.kubectl import Kubectl

UVICORN_S = 5.0
CONTAINERD_S = 1.0
# What a busy machine may add; nothing comes early.
LATE_S = 0.6
ANSWER = b"I'm alive!"


@contextlib.contextmanager
def kept_stream(cluster: RemoteCluster) -> Iterator[Spdy]:
    """A stream (data is number 3) on which one request was answered just now."""
    with spdy_to(cluster, pod_name(cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/health/liveliness")))
        peer.data_until(3, ANSWER)
        yield peer


def end_of(peer: Spdy, since: float) -> tuple[bytes, float]:
    """What still came on the data stream, and how long after an instant it ended by FIN."""
    data = b""
    while True:
        frame = peer.until(spdy.Data, 3)
        data += frame.payload
        if frame.fin:
            return data, time.monotonic() - since


def is_after(took_s: float, due_s: float) -> bool:
    return due_s - 0.02 <= took_s <= due_s + LATE_S


def test_the_end_of_an_idle_connection_arrives_a_second_after_the_program_closed_it(
    simulated_cluster: RemoteCluster,
) -> None:
    with kept_stream(simulated_cluster) as peer:
        data, took_s = end_of(peer, time.monotonic())

    assert data == b""
    assert is_after(took_s, UVICORN_S + CONTAINERD_S), took_s


def test_a_request_within_that_second_reaches_no_program_and_gets_no_answer(
    simulated_cluster: RemoteCluster,
) -> None:
    with kept_stream(simulated_cluster) as peer:
        answered_at = time.monotonic()
        time.sleep(UVICORN_S + 0.3)
        peer.send(spdy.data_frame(3, get("/whoami", "X-Request-Id: late")))
        data, took_s = end_of(peer, answered_at)

    assert data == b""
    assert is_after(took_s, UVICORN_S + CONTAINERD_S), took_s
    assert simulated_cluster.faults.seen() == {}


def test_a_second_write_within_that_second_ends_the_stream_at_once(
    simulated_cluster: RemoteCluster,
) -> None:
    with kept_stream(simulated_cluster) as peer:
        time.sleep(UVICORN_S + 0.2)
        for part in (b"POST /echo HTTP/1.1\r\n", b"Host: x\r\n\r\n"):
            peer.send(spdy.data_frame(3, part))
            time.sleep(0.05)
        sent_at = time.monotonic()

        assert peer.until(spdy.RstStream).stream_id == 3
        assert time.monotonic() - sent_at < 0.5


@pytest.mark.parametrize("graceful", [True, False], ids=["deleted", "killed"])
def test_the_end_of_a_pod_ends_its_kept_connections_a_second_later(
    simulated_cluster: RemoteCluster, graceful: bool
) -> None:
    with kept_stream(simulated_cluster) as peer:
        deleted_at = time.monotonic()
        simulated_cluster.faults.delete_pod(pod=pod_name(simulated_cluster), graceful=graceful)
        data, took_s = end_of(peer, deleted_at)

    assert data == b""
    assert is_after(took_s, CONTAINERD_S), took_s


def test_a_graceful_rollout_closes_every_kept_connection(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    with kubectl.port_forward("svc/litellm", ":4000") as (port, _):
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(5)]
        assert [ask(client) for client in clients] == ["ok"] * 5
        simulated_cluster.faults.roll(wait=True)
        time.sleep(CONTAINERD_S + 0.5)

        for client in clients:
            assert client.sock is not None
            assert client.sock.recv(1) == b""


def test_plain_kubectl_loses_a_third_of_the_requests_sent_as_the_idle_time_ends(
    kubectl: Kubectl,
) -> None:
    rounds = 4
    fates: list[str] = []

    def ask_again_and_again(port: int, number: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for turn in range(rounds):
            fates.append(ask(client))
            # Evenly from 4.9 to 5.1 s, and for each client another one each time.
            time.sleep(4.9 + 0.2 * ((number * 7 + turn * 13) % 40) / 40)

    with kubectl.port_forward("svc/litellm", ":4000") as (port, process):
        threads = [
            threading.Thread(target=ask_again_and_again, args=(port, number))
            for number in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert process.poll() is None
    # The first of each client is sent on a fresh connection, and so is one after a loss.
    asked_again = len(fates) - len(threads)
    counts = Counter(fates)
    assert set(counts) == {"ok", "lost"}
    assert 0.25 < counts["lost"] / asked_again < 0.5, counts


def ask(client: http.client.HTTPConnection) -> str:
    """One POST on the client's kept connection; after a loss the next one opens a fresh one."""
    try:
        client.request("POST", "/echo", b"x" * 100)
        answer = client.getresponse().read()
    except (http.client.HTTPException, OSError):
        client.close()
        return "lost"
    return "ok" if answer == b"x" * 100 else "wrong"
