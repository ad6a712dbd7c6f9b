"""What happens to bytes on the way to the simulated API server, and to the server itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvloop
from cluster_client import Client, Spdy, ask_spdy, connected, get, pod_name, spdy_to

from llmgwd.protocol import spdy
from llmgwsim.cluster import SimulatedCluster
from llmgwsim.remote import RemoteCluster, cluster_process

LIVELINESS = get("/health/liveliness")


def is_answered(peer: Spdy, first_id: int) -> bool:
    peer.send(peer.pair(first_id), spdy.data_frame(first_id + 2, LIVELINESS))
    return b"alive" in peer.data_until(first_id + 2, b"alive")


@pytest.mark.parametrize("direction", ["in", "out", "both"])
def test_a_black_hole_lets_nothing_through_and_closes_nothing(
    simulated_cluster: RemoteCluster, direction: str
) -> None:
    with connected(simulated_cluster) as client:
        assert ask_spdy(client, pod_name(simulated_cluster)).status == 101
        peer = Spdy(client)
        simulated_cluster.faults.black_hole(direction=direction)
        client.socket.settimeout(0.3)
        peer.send(peer.encoder.ping(1))
        with pytest.raises(TimeoutError):
            peer.next()
        simulated_cluster.faults.restore()
        client.socket.settimeout(5)

        assert peer.next() == spdy.Ping(1)
        assert is_answered(peer, 1)


def test_a_black_hole_takes_new_connections_and_never_greets_them(
    simulated_cluster: RemoteCluster,
) -> None:
    simulated_cluster.faults.black_hole(existing=False)
    context = ssl.create_default_context(cadata=simulated_cluster.authority.decode())
    with (
        socket.create_connection(("127.0.0.1", simulated_cluster.port), 0.3) as raw,
        pytest.raises(TimeoutError),
    ):
        context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_a_black_hole_for_new_connections_spares_the_living(
    simulated_cluster: RemoteCluster,
) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        simulated_cluster.faults.black_hole(existing=False, new=True)

        assert is_answered(peer, 1)


def test_a_black_hole_keeps_a_bounded_part_of_what_pods_send(
    simulated_cluster: RemoteCluster,
) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/bytes/50000000")))
        peer.data_until(3, b"\r\n\r\n")
        simulated_cluster.faults.black_hole(direction="out")
        simulated_cluster.faults.restore()
        size = 0
        while size < 49_000_000:
            size += len(peer.until(spdy.Data, 3).payload)


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_drops_every_connection_at_once(
    simulated_cluster: RemoteCluster, reset: bool
) -> None:
    with (
        spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer,
        connected(simulated_cluster) as client,
    ):
        assert client.ask("GET", "/version").status == 200
        assert simulated_cluster.faults.cut(reset=reset) == 2

        with pytest.raises((EOFError, OSError)):
            peer.next()
        with pytest.raises((EOFError, OSError)):
            client.read_head()


def test_a_round_trip_is_paid_for_connecting_for_tls_and_for_each_answer(
    simulated_cluster: RemoteCluster,
) -> None:
    rtt_s = 0.1
    simulated_cluster.faults.set_rtt(rtt_s=rtt_s)
    begin = time.monotonic()
    with connected(simulated_cluster) as client:
        greeted = time.monotonic()
        assert client.ask("GET", "/version").status == 200
        answered = time.monotonic()

    # Lower bounds only: that waits are no shorter than the network makes them.
    assert greeted - begin >= 2 * rtt_s - 0.01
    assert answered - greeted >= rtt_s - 0.01


def test_a_round_trip_delays_and_does_not_throttle(simulated_cluster: RemoteCluster) -> None:
    """A megabyte is 32 frames; a delay paid by each would make it seconds late."""
    simulated_cluster.faults.set_rtt(rtt_s=0.1)
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/bytes/1000000")))
        peer.until(spdy.Data, 3)
        begin = time.monotonic()
        size = 0
        while size < 900_000:
            size += len(peer.until(spdy.Data, 3).payload)

        assert time.monotonic() - begin < 32 * 0.05


def test_what_an_api_server_sent_before_it_was_killed_arrives(
    simulated_cluster: RemoteCluster,
) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        simulated_cluster.faults.set_rtt(rtt_s=1.0)
        peer.send(peer.pair())
        # Its replies leave with the dial, and have half a round trip to go.
        while not any(pod["connections"] for pod in simulated_cluster.faults.pods()):
            time.sleep(0.01)
        simulated_cluster.faults.api_down()

        assert peer.next() == spdy.SynReply(1, {}, False)
        assert peer.next() == spdy.SynReply(3, {}, False)
        with pytest.raises((EOFError, ConnectionError)):
            peer.next()


def test_a_killed_api_server_refuses_and_comes_back_on_its_port(
    simulated_cluster: RemoteCluster,
) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        simulated_cluster.faults.api_down()
        with pytest.raises((EOFError, OSError)):
            peer.next()
    with pytest.raises(ConnectionRefusedError):
        Client(simulated_cluster)

    simulated_cluster.faults.api_up()
    with connected(simulated_cluster) as client:
        assert client.ask("GET", "/version").status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("turns", range(5))
async def test_a_connection_that_is_being_taken_dies_with_a_killed_api_server(turns: int) -> None:
    async with SimulatedCluster() as cluster:
        address = ("127.0.0.1", cluster.server.port)
        with socket.create_connection(address) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            cluster.faults.api_down()
            client.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.to_thread(client.recv, 1) == b""


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_killed_api_server_gives_its_port_back_on_every_loop(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def kill_and_start() -> None:
        async with SimulatedCluster() as cluster:
            before = cluster.server.port
            cluster.faults.api_down()
            await asyncio.sleep(0)  # uvloop closes what is closed at its next turn
            await cluster.faults.api_up()
            assert cluster.server.port == before

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(kill_and_start())


def test_a_terminated_api_server_ends_watches_and_keeps_upgrades_for_a_while(
    simulated_cluster: RemoteCluster,
) -> None:
    with (
        spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer,
        connected(simulated_cluster) as watcher,
    ):
        watcher.send_request("GET", "/api/v1/pods?watch=1")
        assert watcher.read_head()[0] == 200
        simulated_cluster.faults.api_down(graceful=True, upgrades_live_s=0.5)

        assert len(list(watcher.chunks())) == 2
        with pytest.raises(ConnectionRefusedError):
            Client(simulated_cluster)
        assert is_answered(peer, 1)
        with pytest.raises((EOFError, OSError)):
            peer.until(spdy.GoAway)


def test_a_terminated_api_server_can_be_up_again_while_old_upgrades_live(
    simulated_cluster: RemoteCluster,
) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        simulated_cluster.faults.api_down(graceful=True)
        simulated_cluster.faults.api_up()

        with connected(simulated_cluster) as client:
            assert client.ask("GET", "/version").status == 200
        assert is_answered(peer, 1)


def test_the_cluster_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    with cluster_process(["--pods", "1", "--start", "10ms"]) as cluster:
        assert json.loads(cluster.kubeconfig.read_text())["current-context"] == "demo"
        assert cluster.kubeconfig.stat().st_mode & 0o077 == 0
        assert [pod["phase"] for pod in cluster.faults.pods()] == ["Running"]
        with spdy_to(cluster, pod_name(cluster)) as peer:
            assert is_answered(peer, 1)


def test_a_thousand_upgrades_at_once_are_all_answered() -> None:
    def one(cluster: RemoteCluster, name: str) -> bool:
        with spdy_to(cluster, name) as peer:
            return is_answered(peer, 1)

    with cluster_process() as cluster, ThreadPoolExecutor(64) as workers:
        name = pod_name(cluster)
        answered = list(workers.map(lambda _: one(cluster, name), range(1000)))

    assert answered == [True] * 1000


def test_a_thousand_streams_on_one_upgrade_are_all_answered() -> None:
    with cluster_process() as cluster, spdy_to(cluster, pod_name(cluster)) as peer:
        for number in range(1000):
            first_id = 1 + 4 * number
            peer.send(peer.pair(first_id), spdy.data_frame(first_id + 2, LIVELINESS))
        answered: set[int] = set()
        while len(answered) < 1000:
            frame = peer.until(spdy.Data)
            if b"alive" in frame.payload:
                answered.add(frame.stream_id)


def test_a_close_notify_ends_the_connection_and_nothing_else(
    simulated_cluster: RemoteCluster,
) -> None:
    with connected(simulated_cluster) as client:
        assert client.ask("GET", "/version").status == 200
        client.socket.unwrap().close()

    with connected(simulated_cluster) as client:
        assert client.ask("GET", "/version").status == 200
