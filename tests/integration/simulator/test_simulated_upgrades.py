"""Who may upgrade to which way in, and what the others are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cluster_client import (
    CHANNELS,
    WAYS,
    ask_channels,
    ask_spdy,
    ask_tunnel,
    ask_websocket,
    connected,
    forward_path,
    pod_name,
)

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

ALLOWED, DENIED = 101, 403
MATRIX = {
    "create-only": {"spdy": ALLOWED, "websocket": DENIED, "channels": DENIED},
    "get-only": {"spdy": DENIED, "websocket": DENIED, "channels": DENIED},
    "get-create": {"spdy": ALLOWED, "websocket": ALLOWED, "channels": ALLOWED},
}


def answers(cluster: RemoteCluster) -> dict[str, int]:
    name = pod_name(cluster)
    found: dict[str, int] = {}
    for way, ask in WAYS.items():
        with connected(cluster) as client:
            found[way] = ask(client, name).status
    return found


@pytest.mark.parametrize("role", MATRIX)
def test_each_way_asks_for_its_own_verbs(simulated_cluster: RemoteCluster, role: str) -> None:
    simulated_cluster.faults.set_role(role=role)

    assert answers(simulated_cluster) == MATRIX[role]


def test_before_1_35_get_alone_opens_the_websocket_ways(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_role(role="get-only")
    simulated_cluster.faults.websocket_verbs(verbs="get")

    assert answers(simulated_cluster) == {"spdy": 403, "websocket": 101, "channels": 101}


def test_a_denied_verb_is_told_in_a_status(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_role(role="create-only")
    name = pod_name(simulated_cluster)

    with connected(simulated_cluster) as client:
        answer = ask_tunnel(client, name)

    assert (answer.json["kind"], answer.json["reason"]) == ("Status", "Forbidden")
    assert answer.json["message"] == (
        f'pods "{name}" is forbidden: User "demo" cannot get resource "pods/portforward" '
        'in API group "" in the namespace "litellm"'
    )


def test_an_unknown_subprotocol_is_refused_without_a_body(
    simulated_cluster: RemoteCluster,
) -> None:
    with connected(simulated_cluster) as client:
        answer = ask_websocket(client, pod_name(simulated_cluster), "v9.channel.k8s.io")

    assert (answer.status, answer.body) == (403, b"")


def test_channels_without_ports_are_a_bad_request(simulated_cluster: RemoteCluster) -> None:
    with connected(simulated_cluster) as client:
        answer = ask_websocket(client, pod_name(simulated_cluster), CHANNELS)

    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_token_is_unauthorized(simulated_cluster: RemoteCluster, way: str) -> None:
    name = pod_name(simulated_cluster)
    with connected(simulated_cluster, token="wrong") as client:
        answer = WAYS[way](client, name)

    assert (answer.status, answer.json["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize("way", WAYS)
def test_a_missing_pod_is_not_found(simulated_cluster: RemoteCluster, way: str) -> None:
    with connected(simulated_cluster) as client:
        answer = WAYS[way](client, "nobody")

    assert (answer.status, answer.json["reason"]) == (404, "NotFound")
    assert answer.json["message"] == 'pods "nobody" not found'


@pytest.mark.parametrize("way", WAYS)
def test_a_pending_pod_does_not_exist_in_plain_text(
    simulated_cluster: RemoteCluster, way: str
) -> None:
    simulated_cluster.faults.add_pod(name="stuck", labels={"app": "other"}, pending=True)

    with connected(simulated_cluster) as client:
        answer = WAYS[way](client, "stuck")

    assert (answer.status, answer.body) == (404, b"pod does not exist")
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_request_that_asks_for_no_upgrade_is_told_so(simulated_cluster: RemoteCluster) -> None:
    with connected(simulated_cluster) as client:
        answer = client.ask("POST", forward_path(pod_name(simulated_cluster)))

    assert (answer.status, answer.json["message"]) == (400, "Upgrade request required")


@pytest.mark.parametrize("status", [400, 403, 404, 501, 502])
def test_a_proxy_can_refuse_one_kind_of_upgrade(
    simulated_cluster: RemoteCluster, status: int
) -> None:
    simulated_cluster.faults.refuse_upgrades(spdy=status)

    assert answers(simulated_cluster) == {"spdy": status, "websocket": 101, "channels": 101}

    simulated_cluster.faults.refuse_upgrades(websocket=status)
    assert answers(simulated_cluster) == {"spdy": 101, "websocket": status, "channels": status}


def test_the_upgraded_connection_names_the_protocol(simulated_cluster: RemoteCluster) -> None:
    name = pod_name(simulated_cluster)
    with connected(simulated_cluster) as client:
        spdy = ask_spdy(client, name).headers
    with connected(simulated_cluster) as client:
        channels = ask_channels(client, name).headers

    assert spdy["upgrade"] == "SPDY/3.1"
    assert spdy["x-stream-protocol-version"] == "portforward.k8s.io"
    assert channels["sec-websocket-protocol"] == CHANNELS
