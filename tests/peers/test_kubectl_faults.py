"""An unmodified kubectl meets the simulated cluster's faults in the real cluster's own words."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster
    from peers.kubectl import Kubectl

KUBELET = "dial tcp 192.168.40.1:10250: connect: connection refused"
NOT_LOADED = 'RBAC: clusterrole.rbac.authorization.k8s.io "llmgw" not found'


def port_forward_fails(kubectl: Kubectl) -> str:
    """What kubectl says of a port-forward that does not come about."""
    done = kubectl.run("port-forward", "svc/litellm", ":4000")
    assert done.returncode != 0
    return done.stderr


def shown(kubectl: Kubectl, *names: str) -> Any:
    done = kubectl.run("get", *names, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pod_of(cluster: RemoteCluster) -> str:
    return str(cluster.faults.pods()[0]["name"])


@pytest.mark.parametrize("role", ["admin", "create-only"])
def test_a_stopped_kubelet_is_the_api_servers_own_error(
    kubectl: Kubectl, simulated_cluster: RemoteCluster, role: str
) -> None:
    simulated_cluster.faults.set_role(role=role)
    simulated_cluster.faults.stop_kubelet()

    assert f"error dialing backend: {KUBELET}" in port_forward_fails(kubectl)
    assert kubectl.run("get", "pods").returncode == 0

    simulated_cluster.faults.stop_kubelet(stopped=False)
    with kubectl.port_forward("svc/litellm", ":4000"):
        pass


def test_logs_of_a_stopped_kubelet_name_its_address(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.stop_kubelet()

    done = kubectl.run("logs", pod_of(simulated_cluster))

    assert done.returncode == 1
    assert 'Error from server: Get "https://192.168.40.1:10250/containerLogs/' in done.stderr
    assert KUBELET in done.stderr


def test_a_stopped_runtime_is_the_kubelets_own_error(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.stop_runtime()

    said = port_forward_fails(kubectl)

    assert "failed to find sandboxID for pod" in said
    assert "dial unix /run/containerd/containerd.sock: connect: connection refused" in said


def test_a_started_api_server_refuses_all_until_its_roles_are_loaded(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.api_down()
    simulated_cluster.faults.api_up(rbac_after_s=1.5)
    refused = kubectl.run("get", "pods")
    time.sleep(1.5)

    assert refused.returncode == 1
    assert 'Error from server (Forbidden): pods is forbidden: User "demo"' in refused.stderr
    assert refused.stderr.rstrip().endswith(NOT_LOADED)
    assert kubectl.run("get", "pods").returncode == 0


@pytest.mark.parametrize(("status", "words"), [(403, "Forbidden"), (401, "You must be logged in")])
def test_a_captive_portal_answers_everything_with_its_page(
    kubectl: Kubectl, simulated_cluster: RemoteCluster, status: int, words: str
) -> None:
    simulated_cluster.faults.captive_portal(status=status)

    done = kubectl.run("get", "--raw", "/api/v1/namespaces/litellm/pods")
    forward = port_forward_fails(kubectl)
    simulated_cluster.faults.captive_portal(status=None)

    assert done.returncode == 1
    assert words in done.stderr
    assert forward
    assert kubectl.run("get", "pods").returncode == 0


def test_a_services_edits_keep_its_identity_and_are_watched(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    before = shown(kubectl, "service", "litellm")
    with kubectl.started(
        "get", "service", "litellm", "--watch-only", "-o", "jsonpath={.spec.ports[0]}{'\\n'}"
    ) as watch:
        time.sleep(1)
        simulated_cluster.faults.edit_service(port=4001, target_port=9999)
        assert watch.stdout is not None
        seen = json.loads(watch.stdout.readline())
    simulated_cluster.faults.edit_service(selector={"app": "other"})
    after = shown(kubectl, "service", "litellm")

    assert (seen["port"], seen["targetPort"]) == (4001, 9999)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["selector"] == {"app": "other"}
    assert after["spec"]["ports"][1:] == before["spec"]["ports"][1:]


def test_kubectl_reports_a_service_without_the_port(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.edit_service(port=4001)

    assert "does not have a service port 4000" in port_forward_fails(kubectl)


def test_kubectl_patches_a_service(kubectl: Kubectl) -> None:
    patch = json.dumps({"spec": {"selector": {"app": "nothing"}}})
    done = kubectl.run("patch", "service", "litellm", "--type=merge", "-p", patch)

    assert done.returncode == 0, done.stderr
    assert shown(kubectl, "service", "litellm")["spec"]["selector"] == {"app": "nothing"}


def test_a_lost_node_takes_its_pods_readiness_and_not_their_containers(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.lose_node()

    (node,) = shown(kubectl, "nodes")["items"]
    pod = shown(kubectl, "pods")["items"][0]
    events = shown(kubectl, "events")["items"]

    assert node["status"]["conditions"][0]["status"] == "Unknown"
    assert pod["status"]["conditions"][0]["status"] == "False"
    assert pod["status"]["containerStatuses"][0]["ready"] is True
    assert "Node is not ready" in [event["message"] for event in events]


def test_a_gateway_that_hangs_takes_requests_and_answers_none(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.hang_gateway()
    with (
        kubectl.port_forward("svc/litellm", ":4000") as (port, _),
        socket.create_connection(("127.0.0.1", port), 5) as client,
    ):
        client.sendall(b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        simulated_cluster.faults.hang_gateway(hangs=False)
        client.settimeout(5)

        assert client.recv(12) == b"HTTP/1.1 200"
