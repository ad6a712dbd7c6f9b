"""What the end of a node's kubelet or runtime does to the upgrades that are open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cluster_client import (
    Spdy,
    ask_channels,
    ask_spdy,
    ask_tunnel,
    connected,
    get,
    pod_name,
    spdy_to,
)

from llmgwd.protocol import spdy

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

FAULTS = pytest.mark.parametrize("fault", ["stop_kubelet", "stop_runtime"])


def read_to_the_end(peer: Spdy) -> None:
    while True:
        peer.next()


@FAULTS
def test_channels_end_at_once(simulated_cluster: RemoteCluster, fault: str) -> None:
    with connected(simulated_cluster) as client:
        assert ask_channels(client, pod_name(simulated_cluster)).status == 101
        client.read_exactly(2 * 5)
        simulated_cluster.faults.call(fault)

        assert client.read_exactly(1)[0] & 0x0F == 8, "a close frame"


@FAULTS
def test_an_idle_spdy_connection_ends_when_it_is_used(
    simulated_cluster: RemoteCluster, fault: str
) -> None:
    with connected(simulated_cluster) as client:
        assert ask_spdy(client, pod_name(simulated_cluster)).status == 101
        peer = Spdy(client)
        simulated_cluster.faults.call(fault)
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            peer.next()
        client.socket.settimeout(5)
        peer.send(peer.pair())

        with pytest.raises((EOFError, ConnectionError)):
            read_to_the_end(peer)


@FAULTS
def test_a_spdy_connection_with_streams_ends_at_once(
    simulated_cluster: RemoteCluster, fault: str
) -> None:
    with spdy_to(simulated_cluster, pod_name(simulated_cluster)) as peer:
        peer.send(peer.pair(), spdy.data_frame(3, get("/sse?n=1000&ms=50")))
        peer.data_until(3, b"data: 0")
        simulated_cluster.faults.call(fault)

        with pytest.raises((EOFError, ConnectionError)):
            read_to_the_end(peer)


@pytest.mark.parametrize("ask", [ask_spdy, ask_tunnel, ask_channels])
def test_every_way_in_gets_a_status_without_a_reason(
    simulated_cluster: RemoteCluster, ask: type
) -> None:
    simulated_cluster.faults.stop_kubelet()
    with connected(simulated_cluster) as client:
        answer = ask(client, pod_name(simulated_cluster))

    assert answer.status == 500
    assert json.loads(answer.body) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "error dialing backend: dial tcp 192.168.40.1:10250: connect: "
        "connection refused",
        "code": 500,
    }


def test_a_role_without_get_is_forbidden_before_the_node_is_dialled(
    simulated_cluster: RemoteCluster,
) -> None:
    simulated_cluster.faults.set_role(role="create-only")
    simulated_cluster.faults.stop_kubelet()
    with connected(simulated_cluster) as client:
        assert ask_tunnel(client, pod_name(simulated_cluster)).status == 403
    with connected(simulated_cluster) as client:
        assert ask_spdy(client, pod_name(simulated_cluster)).status == 500
