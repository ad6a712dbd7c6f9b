"""The simulated node speaks SPDY as the real one does: order, timings, texts, the shared stall."""

from __future__ import annotations

import hashlib
import socket
import time
from typing import TYPE_CHECKING

import pytest
from cluster_client import Spdy, connected, get, pod_name, spdy_to

from llmgwd.protocol import spdy

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

LIVELINESS = get("/health/liveliness")


def test_streams_and_first_bytes_may_leave_in_one_write(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, LIVELINESS))

        assert peer.next() == spdy.SynReply(1, {}, False)
        assert peer.next() == spdy.SynReply(3, {}, False)
        assert b"I'm alive!" in peer.data_until(3, b'!"')


def test_a_failed_dial_is_text_on_the_error_stream_and_both_streams_reset(
    simulated_cluster: RemoteCluster,
) -> None:
    simulated_cluster.faults.refuse_dials()
    pod = simulated_cluster.faults.pods()[0]
    with spdy_to(simulated_cluster, pod["name"]) as peer:
        peer.send(peer.pair())
        frames = [peer.next() for _ in range(5)]

    assert [type(frame) for frame in frames[:2]] == [spdy.SynReply] * 2
    told = frames[2]
    assert isinstance(told, spdy.Data)
    assert told.stream_id == 1
    sandbox = hashlib.sha256(pod["uid"].encode()).hexdigest()
    begin = f"error forwarding port 4000 to pod {sandbox}, uid : "
    assert told.payload.decode().startswith(begin)
    assert b"connection refused" in told.payload
    assert frames[3:] == [spdy.RstStream(3, 5), spdy.RstStream(1, 5)]


def test_the_pod_is_dialled_only_when_the_pair_is_complete(
    simulated_cluster: RemoteCluster,
) -> None:
    name = pod_name(simulated_cluster)
    headers = {"port": "4000", "requestid": "1"}
    with spdy_to(simulated_cluster, name) as peer:
        peer.send(peer.encoder.syn_stream(1, headers | {"streamtype": "error"}, fin=True))
        assert peer.next() == spdy.SynReply(1, {}, False)
        before = simulated_cluster.faults.pods()[0]["connections"]
        peer.send(peer.encoder.syn_stream(3, headers | {"streamtype": "data"}))
        peer.send(spdy.data_frame(3, LIVELINESS))
        peer.data_until(3, b"alive")

        assert before == 0
        assert simulated_cluster.faults.pods()[0]["connections"] == 1


def test_half_a_pair_is_given_up_after_its_time(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_pair_timeout(timeout_s=0.05)
    headers = {"port": "4000", "requestid": "7", "streamtype": "error"}
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.encoder.syn_stream(1, headers, fin=True))

        assert b"timed out waiting for streams" in peer.data_until(1, b"streams")


def test_no_frame_from_the_server_is_above_32_kib(simulated_cluster: RemoteCluster) -> None:
    with connected(simulated_cluster) as client:
        from cluster_client import ask_spdy

        assert ask_spdy(client, pod_name(simulated_cluster)).status == 101
        peer = Spdy(client)
        peer.send(peer.pair(), spdy.data_frame(3, get("/bytes/2000000")))
        # Heads alone are read here, because the decoder hands frames on in pieces.
        sizes: list[int] = []
        left = 2_000_000
        while left > 0:
            head = client.read_exactly(8)
            size = int.from_bytes(head[5:8], "big")
            client.read_exactly(size)
            if not head[0] & 0x80:
                sizes.append(size)
                left -= size

    assert max(sizes) == 32 * 1024


def test_the_end_of_the_pod_comes_one_second_later(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        # From before the pod ended: a machine that is slow to read must not make it look shorter.
        begin = time.monotonic()
        peer.send(peer.pair(), spdy.data_frame(3, get("/whoami", "Connection: close")))
        peer.data_until(3, b"}")

        assert peer.until(spdy.Data, 3) == spdy.Data(3, b"", True)
        assert time.monotonic() - begin > 0.9
        assert peer.until(spdy.Data, 1) == spdy.Data(1, b"", True)


def test_the_clients_end_leaves_an_answer_one_second(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/slow?ms=300"), fin=True))

        assert b"200 OK" in peer.data_until(3, b"}")
        assert peer.until(spdy.Data, 3).fin


def test_an_answer_later_than_that_is_lost(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/slow?ms=3000"), fin=True))

        assert peer.until(spdy.Data, 3) == spdy.Data(3, b"", True)


def test_the_pods_reset_resets_both_streams(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/drop?reset=1")))

        assert peer.until(spdy.RstStream).stream_id == 3
        assert peer.until(spdy.RstStream).stream_id == 1


def test_a_reset_by_the_client_ends_the_pods_connection(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/sse?n=1000&ms=20")))
        peer.data_until(3, b"data: 3")
        peer.send(peer.encoder.rst_stream(3, 5))
        # Bytes for a stream that is gone end the copying, so the pod is soon free.
        deadline = time.monotonic() + 5
        while simulated_cluster.faults.pods()[0]["connections"]:
            assert time.monotonic() < deadline

        assert simulated_cluster.faults.counts()["open_streams"] == 0


def test_pings_are_answered(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(*(peer.encoder.ping(number) for number in range(1, 21, 2)))

        assert [peer.next() for _ in range(10)] == [spdy.Ping(n) for n in range(1, 21, 2)]


def test_goaway_leaves_living_streams_alone(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), peer.encoder.goaway(0), spdy.data_frame(3, LIVELINESS))

        assert b"alive" in peer.data_until(3, b"alive")


def test_a_stalled_reader_stalls_the_whole_upgrade(simulated_cluster: RemoteCluster) -> None:
    """A pod that does not read: its worker waits, then the reading of the connection."""
    with connected(simulated_cluster) as client:
        from cluster_client import ask_spdy

        assert ask_spdy(client, pod_name(simulated_cluster)).status == 101
        peer = Spdy(client)
        stuck = b"POST /slow?ms=60000 HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n"
        peer.send(peer.pair(1), spdy.data_frame(3, stuck))
        client.socket.settimeout(2.0)

        with pytest.raises(TimeoutError):  # noqa: PT012
            for _ in range(20_000):
                peer.send(spdy.data_frame(3, bytes(32768)))
        with connected(simulated_cluster) as other:
            assert other.ask("GET", "/version").status == 200


def test_an_upgrade_outlives_its_pod_and_new_streams_are_told(
    simulated_cluster: RemoteCluster,
) -> None:
    name = pod_name(simulated_cluster)
    with spdy_to(simulated_cluster, name) as peer:
        simulated_cluster.faults.delete_pod(pod=name, graceful=False)
        peer.send(peer.pair())

        assert b"not found" in peer.data_until(1, b"not found")
        assert peer.until(spdy.RstStream).stream_id == 3


def test_streams_of_a_terminating_pod_live_until_they_end(
    simulated_cluster: RemoteCluster,
) -> None:
    name = pod_name(simulated_cluster)
    with spdy_to(simulated_cluster, name) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/sse?n=20&ms=50")))
        peer.data_until(3, b"data: 1")
        simulated_cluster.faults.delete_pod(pod=name)

        assert b"data: 19" in peer.data_until(3, b"[DONE]")


def test_streams_of_a_terminating_pod_are_cut_after_its_grace(
    simulated_cluster: RemoteCluster,
) -> None:
    name = pod_name(simulated_cluster)
    with spdy_to(simulated_cluster, name) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/sse?n=2000&ms=50")))
        peer.data_until(3, b"data: 1")
        simulated_cluster.faults.delete_pod(pod=name, grace_s=0.3)

        while not peer.until(spdy.Data, 3).fin:
            continue
    assert name not in [pod["name"] for pod in simulated_cluster.faults.pods()]


def test_a_broken_frame_closes_the_connection(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(b"\x80\x09\x00\x01\x00\x00\x00\x00")

        with pytest.raises((EOFError, OSError)):
            peer.next()


def test_a_reset_fault_keeps_the_connection(simulated_cluster: RemoteCluster) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(1), spdy.data_frame(3, get("/sse?n=1000&ms=20")))
        peer.data_until(3, b"data: 3")
        assert simulated_cluster.faults.reset_streams() == 1
        assert peer.until(spdy.RstStream).stream_id == 3

        peer.send(peer.pair(5), spdy.data_frame(7, LIVELINESS))
        assert b"alive" in peer.data_until(7, b"alive")


def test_a_connection_of_a_socket_that_just_closes_frees_the_pod(
    simulated_cluster: RemoteCluster,
) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/sse?n=1000&ms=20")))
        peer.data_until(3, b"data: 3")
        peer._client.socket.shutdown(socket.SHUT_RDWR)

    deadline = time.monotonic() + 5
    while simulated_cluster.faults.pods()[0]["connections"]:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("stream_id", [2, 3])
def test_a_stream_number_out_of_turn_is_refused(
    simulated_cluster: RemoteCluster, stream_id: int
) -> None:
    headers = {"port": "4000", "requestid": "9", "streamtype": "error"}
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), peer.encoder.syn_stream(stream_id, headers))

        assert peer.until(spdy.RstStream) == spdy.RstStream(stream_id, 1)
