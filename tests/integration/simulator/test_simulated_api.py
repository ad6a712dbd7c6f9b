"""The simulated API server's lists, logs, logins and rules, as clients rely on them."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_client import connected, pod_name
from pod_lists import PODS, events, is_ready, listed, version_of

from llmgwsim.remote import FaultError, RemoteCluster


def test_lists_select_by_label_and_say_their_version(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.add_pod(name="other", labels={"app": "other"})

    assert len(listed(simulated_cluster)["items"]) == 3
    assert len(listed(simulated_cluster, f"{PODS}?labelSelector=app%3Dlitellm")["items"]) == 2
    assert len(listed(simulated_cluster, f"{PODS}?labelSelector=app+in+(a,other)")["items"]) == 1


def test_a_pod_shows_ports_readiness_and_its_owner(simulated_cluster: RemoteCluster) -> None:
    pod = listed(simulated_cluster)["items"][0]

    (container,) = pod["spec"]["containers"]
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [
        ("http", 4000),
        ("tcp", 8080),
    ]
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    assert {"type": "Ready", "status": "True"}.items() <= pod["status"]["conditions"][0].items()


def test_a_crash_is_kept_in_the_last_state(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    with connected(simulated_cluster) as client:
        stream = events(client, f"resourceVersion={version}")
        simulated_cluster.faults.crash(restart_after_s=0.05)
        status: Any = next(stream)["object"]["status"]["containerStatuses"][0]
        assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        while not status["ready"]:
            status = next(stream)["object"]["status"]["containerStatuses"][0]

    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["reason"] == "OOMKilled"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/v1/namespaces/litellm/services/none", 'services "none" not found'),
        ("/apis/apps/v1/namespaces/x/deployments/none", 'deployments.apps "none" not found'),
        ("/api/v1/namespaces/none", 'namespaces "none" not found'),
        ("/apis/batch/v1/jobs", "the server could not find the requested resource"),
    ],
)
def test_what_is_not_there_is_said_in_a_status(
    simulated_cluster: RemoteCluster, path: str, message: str
) -> None:
    with connected(simulated_cluster) as client:
        answer = client.ask("GET", path)

    assert (answer.status, answer.json["message"]) == (404, message)


def test_a_namespace_goes_with_all_that_is_in_it(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.remove_namespace()

    assert listed(simulated_cluster)["items"] == []
    assert listed(simulated_cluster, "/api/v1/services")["items"] == []


def test_a_token_is_refused_when_it_has_expired(simulated_cluster: RemoteCluster) -> None:
    short = simulated_cluster.faults.issue_token(lifetime_s=0.0)
    long = simulated_cluster.faults.issue_token(lifetime_s=600.0)

    with connected(simulated_cluster, token=short) as client:
        assert client.ask("GET", PODS).status == 401
    with connected(simulated_cluster, token=long) as client:
        assert client.ask("GET", PODS).status == 200


def test_a_verb_can_be_taken_away_and_given_back(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.deny(verb="watch", resource="pods")
    with connected(simulated_cluster) as client:
        answer = client.ask("GET", f"{PODS}?watch=1")
        assert answer.status == 403
        assert 'cannot watch resource "pods"' in answer.json["message"]
        assert client.ask("GET", PODS).status == 200

    simulated_cluster.faults.allow()
    with connected(simulated_cluster) as client:
        next(events(client, ""))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_requests_fail_as_often_as_asked(simulated_cluster: RemoteCluster, status: int) -> None:
    simulated_cluster.faults.fail_requests(status=status, count=2, retry_after_s=3)

    with connected(simulated_cluster) as client:
        first = client.ask("GET", PODS)
        statuses = [first.status, *(client.ask("GET", PODS).status for _ in range(2))]

    assert statuses == [status, status, 200]
    assert first.headers["retry-after"] == "3"


def test_a_hanging_server_answers_when_it_is_well_again(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.hang()
    with connected(simulated_cluster) as client:
        client.send_request("GET", PODS)
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.read_head()
        simulated_cluster.faults.hang(hangs=False)
        client.socket.settimeout(5)

        assert client.read_head()[0] == 200


def test_logs_are_cut_by_lines_and_time_and_stamped(simulated_cluster: RemoteCluster) -> None:
    name = pod_name(simulated_cluster)
    for number in range(3):
        simulated_cluster.faults.log_line(text=f"line {number}", pod=name)

    def log(query: str) -> str:
        with connected(simulated_cluster) as client:
            return client.ask("GET", f"{PODS}/{name}/log?{query}").body.decode()

    assert log("tailLines=2") == "line 1\nline 2\n"
    assert log("sinceSeconds=3600").endswith("line 0\nline 1\nline 2\n")
    assert log("sinceTime=2999-01-01T00:00:00Z") == ""
    assert log("tailLines=1&timestamps=true").split()[0].endswith("Z")
    assert "is not valid for pod" in log("container=sidecar")
    assert "previous terminated container" in log("previous=true")


def test_a_fault_call_that_does_not_exist_is_told(simulated_cluster: RemoteCluster) -> None:
    with pytest.raises(FaultError, match="no fault call"):
        simulated_cluster.faults.explode()
    with pytest.raises(FaultError, match="delete_pod"):
        simulated_cluster.faults.delete_pod(colour="red")


def test_a_service_can_change_its_selector_and_port(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_service(
        selector={"app": "other"}, port=80, target_port="web", headless=True
    )

    service = listed(simulated_cluster, "/api/v1/namespaces/litellm/services")["items"][0]

    assert service["spec"]["selector"] == {"app": "other"}
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["ports"][0] == {
        "protocol": "TCP",
        "port": 80,
        "targetPort": "web",
        "name": "http",
    }


def test_a_held_deployment_makes_no_pod_until_its_time(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    simulated_cluster.faults.delete_all_pods(hold_s=0.5)
    assert listed(simulated_cluster)["items"] == []

    with connected(simulated_cluster) as client:
        kinds: list[str] = []
        for event in events(client, f"resourceVersion={version}"):
            kinds.append(event["type"])
            if is_ready(event["object"]) and event["type"] == "MODIFIED":
                break

    assert kinds[:3] == ["DELETED", "DELETED", "ADDED"]


def test_a_container_crashed_twice_at_once_is_restarted_once(
    simulated_cluster: RemoteCluster,
) -> None:
    version = version_of(simulated_cluster)
    name = pod_name(simulated_cluster)
    simulated_cluster.faults.crash(pod=name, restart_after_s=0.05)
    simulated_cluster.faults.crash(pod=name, restart_after_s=0.1)
    with connected(simulated_cluster) as client:
        query = f"resourceVersion={version}&timeoutSeconds=1"
        seen = [event["object"] for event in events(client, query)]

    restarts = [pod["status"]["containerStatuses"][0]["restartCount"] for pod in seen]
    assert restarts == [0, 1]
