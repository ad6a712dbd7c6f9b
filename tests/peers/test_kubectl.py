"""An unmodified kubectl finds nothing to complain of in the simulated cluster."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from typing import IO, TYPE_CHECKING, Any

import pytest

from peers.kubectl import Kubectl

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

TIMEOUT_S = 10


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT_S) as answer:
        return bytes(answer.read())


def lines_until(output: IO[str] | None, wanted: str, limit: int = 200) -> str:
    """Read lines until one holds a text; a process that says something else runs into the end."""
    assert output is not None
    said = ""
    for _ in range(limit):
        line = output.readline()
        said += line
        if wanted in line:
            return said
        if not line:
            break
    raise AssertionError(f"{wanted!r} was not said, but: {said}")


@pytest.mark.parametrize(("websockets", "way"), [(True, "websocket"), (False, "spdy")])
def test_port_forward_reaches_the_gateway(
    kubectl: Kubectl, simulated_cluster: RemoteCluster, websockets: bool, way: str
) -> None:
    with kubectl.port_forward("svc/litellm", ":4000", websockets=websockets) as (port, _):
        assert json.loads(get(port, "/health/liveliness")) == "I'm alive!"
        assert len(get(port, "/bytes/3000000")) == 3_000_000

    assert list(simulated_cluster.faults.counts()["upgrades"]) == [way]


def test_port_forward_carries_many_connections_on_one_upgrade(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    with kubectl.port_forward("svc/litellm", ":4000") as (port, _):
        pods = {json.loads(get(port, "/whoami"))["pod"] for _ in range(20)}

    assert len(pods) == 1
    assert simulated_cluster.faults.counts()["upgrades"] == {"websocket": 1}


def test_a_role_with_create_alone_falls_back_to_raw_spdy_without_a_word(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_role(role="create-only")

    with kubectl.port_forward("svc/litellm", ":4000") as (port, _):
        assert get(port, "/health/liveliness")

    assert simulated_cluster.faults.counts()["upgrades"] == {"spdy": 1}


def test_a_role_with_get_alone_is_forbidden_to_create(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_role(role="get-only")

    answer = kubectl.run("port-forward", "svc/litellm", ":4000")

    assert answer.returncode == 1
    assert 'cannot create resource "pods/portforward"' in answer.stderr


def test_one_stalled_reader_stalls_everybody_on_its_upgrade(kubectl: Kubectl) -> None:
    with kubectl.port_forward("svc/litellm", ":4000") as (port, _), socket.socket() as stalled:
        stalled.settimeout(TIMEOUT_S)
        stalled.connect(("127.0.0.1", port))
        stalled.sendall(b"GET /bytes/2000000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stalled.recv(1)
        # The stall takes as long to come as the buffers on the way take to fill.
        with pytest.raises(OSError, match="timed out"):  # noqa: PT012
            for _ in range(200):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/whoami", timeout=2) as one:
                    one.read()


def test_a_refused_dial_is_told_on_the_error_stream(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.refuse_dials()

    with kubectl.port_forward("svc/litellm", ":4000") as (port, process):
        with pytest.raises(OSError):  # noqa: PT011 - a reset or an end, as the race has it
            get(port, "/health/liveliness")
        lines_until(process.stdout, "error forwarding port 4000 to pod")


def test_get_pods_shows_the_table(kubectl: Kubectl) -> None:
    head, *rows = kubectl.run("get", "pods").stdout.splitlines()

    assert head.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row.split()[1:4] for row in rows] == [["1/1", "Running", "0"]] * 2


def test_get_pods_watches_a_deleted_pod_go_and_its_replacement_come(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    with kubectl.started("get", "pods", "--watch") as watch:
        lines_until(watch.stdout, "Running")
        lines_until(watch.stdout, "Running")
        name = simulated_cluster.faults.delete_pod()

        said = lines_until(watch.stdout, "1/1     Running")

    assert f"{name}   1/1     Terminating" in said
    assert "ContainerCreating" in said


def test_delete_pod_waits_until_the_pod_is_gone(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    name = simulated_cluster.faults.pods()[0]["name"]

    answer = kubectl.run("delete", "pod", name)

    assert answer.returncode == 0, answer.stderr
    assert name not in [pod["name"] for pod in simulated_cluster.faults.pods()]


def test_rollout_restart_and_status_follow_the_deployment(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    before = {pod["name"] for pod in simulated_cluster.faults.pods()}

    assert kubectl.run("rollout", "restart", "deployment/litellm").returncode == 0
    assert "successfully rolled out" in kubectl.run("rollout", "status", "deploy/litellm").stdout

    after = [pod for pod in simulated_cluster.faults.pods() if not pod["is_terminating"]]
    assert before.isdisjoint(pod["name"] for pod in after)


def test_logs_follow_a_pod(kubectl: Kubectl, simulated_cluster: RemoteCluster) -> None:
    name = simulated_cluster.faults.pods()[0]["name"]
    with kubectl.started("logs", "--follow", "--tail=1", name) as logs:
        lines_until(logs.stdout, "Uvicorn running")
        simulated_cluster.faults.log_line(text="a line that came later", pod=name)

        assert lines_until(logs.stdout, "came later") == "a line that came later\n"


def test_logs_of_the_run_before_a_crash(kubectl: Kubectl, simulated_cluster: RemoteCluster) -> None:
    name = simulated_cluster.faults.pods()[0]["name"]
    simulated_cluster.faults.log_line(text="the last words", pod=name)
    simulated_cluster.faults.crash(pod=name)

    assert "the last words\nKilled" in kubectl.run("logs", "--previous", name).stdout


def test_auth_can_i_knows_the_role(kubectl: Kubectl, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_role(role="create-only")

    can_create = kubectl.run("auth", "can-i", "create", "pods", "--subresource=portforward")
    can_get = kubectl.run("auth", "can-i", "get", "pods", "--subresource=portforward")
    listed = kubectl.run("auth", "can-i", "--list").stdout

    assert (can_create.stdout.strip(), can_create.returncode) == ("yes", 0)
    assert can_get.stdout.strip().startswith("no")
    assert any(line.split()[0] == "pods/portforward" for line in listed.splitlines())


def test_a_wrong_token_is_unauthorized(kubectl: Kubectl, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.revoke_token()

    answer = kubectl.run("get", "pods")

    assert answer.returncode == 1
    assert "Unauthorized" in answer.stderr or "must be logged in" in answer.stderr


def ready_condition(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = [item for item in pod["status"]["conditions"] if item["type"] == "Ready"]
    return dict(found)


def test_a_lost_node_leaves_pods_running_and_not_ready(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.lose_node()

    pods = json.loads(kubectl.run("get", "pods", "--output=json").stdout)["items"]

    assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 2
    assert [ready_condition(pod)["status"] for pod in pods] == ["False"] * 2


def test_port_forward_ends_when_the_api_server_is_killed(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    with kubectl.port_forward("svc/litellm", ":4000") as (port, process):
        assert get(port, "/whoami")
        simulated_cluster.faults.api_down()

        process.wait(TIMEOUT_S)


def test_port_forward_outlives_the_api_servers_sigterm(
    kubectl: Kubectl, simulated_cluster: RemoteCluster
) -> None:
    with kubectl.port_forward("svc/litellm", ":4000") as (port, process):
        assert get(port, "/whoami")
        simulated_cluster.faults.api_down(graceful=True, upgrades_live_s=1.0)

        assert get(port, "/whoami")
        assert kubectl.run("get", "pods", "--request-timeout=2s").returncode == 1
        process.wait(TIMEOUT_S)


def test_a_client_certificate_logs_in(
    kubectl_program: Any, simulated_cluster: RemoteCluster, tmp_path: Any
) -> None:
    from llmgwsim.kubeconfig import Credentials

    assert simulated_cluster.cluster is not None
    client = simulated_cluster.cluster.authority.client("demo")
    path = simulated_cluster.write_kubeconfig(tmp_path / "kc", Credentials(client=client))

    answer = Kubectl(kubectl_program, path, tmp_path).run("get", "pods")

    assert isinstance(answer, subprocess.CompletedProcess)
    assert answer.stdout.count("Running") == 2
