"""From a target's name to pods and ports: the rules of services, workloads and readiness."""

from __future__ import annotations

from typing import Any

import pytest

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.target import objects
from llmgwd.cluster.target.pods import Endpoint, Pod, parse_pod
from llmgwd.cluster.target.resolve import (
    Selection,
    format_selector,
    select_by_service,
    select_by_workload,
    select_directly,
    view,
)
from llmgwd.config.target import Target, TargetKind
from llmgwd.errors import Blocked, Transient

SERVICE = Target(TargetKind.SERVICE, "litellm")


def pod(
    name: str,
    *,
    is_ready: bool = True,
    is_terminating: bool = False,
    phase: str = "Running",
    created: str = "2026-01-01T00:00:00Z",
    ports: dict[str, int] | None = None,
    has_running_container: bool = True,
    trouble: str = "",
) -> Pod:
    return Pod(
        name=name,
        namespace="litellm",
        uid=f"uid-{name}",
        phase=phase,
        is_ready=is_ready,
        is_terminating=is_terminating,
        ports=ports or {"http": 4000},
        node="node-1",
        created=created,
        restarts=0,
        has_running_container=has_running_container,
        trouble=trouble,
    )


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "litellm"},
        "spec": {"selector": {"app": "litellm"}, "clusterIP": "10.0.0.1", "ports": ports, **spec},
    }


def chosen(selection: Selection, *pods: Pod) -> list[tuple[str, int]]:
    endpoints = view(SERVICE, selection, "litellm", pods).endpoints
    return [(endpoint.pod, endpoint.port) for endpoint in endpoints]


def test_a_numeric_target_port_is_used_as_it_is() -> None:
    selection = select_by_service(service({"port": 80, "targetPort": 4000}), "80")

    assert chosen(selection, pod("a", ports={"http": 9})) == [("a", 4000)]


def test_a_missing_target_port_equals_the_port() -> None:
    selection = select_by_service(service({"port": 4000}), "4000")

    assert chosen(selection, pod("a")) == [("a", 4000)]


def test_a_named_target_port_is_looked_up_in_each_pod() -> None:
    selection = select_by_service(service({"port": 80, "targetPort": "http"}), "80")

    endpoints = chosen(selection, pod("a", ports={"http": 4000}), pod("b", ports={"http": 5000}))

    assert endpoints == [("a", 4000), ("b", 5000)]


def test_a_pod_without_the_named_port_is_left_out_while_another_has_it() -> None:
    selection = select_by_service(service({"port": 80, "targetPort": "http"}), "80")

    assert chosen(selection, pod("a", ports={"old": 1}), pod("b")) == [("b", 4000)]


def test_a_named_port_that_no_pod_has_is_told_with_those_they_have() -> None:
    selection = select_by_service(service({"port": 80, "targetPort": "api"}), "80")

    told = view(SERVICE, selection, "litellm", [pod("a")])

    assert isinstance(told.problem, Blocked)
    assert told.problem.code == ConditionKind.TARGET_PORT_MISSING
    assert '"api"' in told.problem.message
    assert "http=4000" in told.problem.message


def test_a_service_port_is_found_by_its_name() -> None:
    declared = service({"name": "ui", "port": 80, "targetPort": 1}, {"name": "api", "port": 81})

    assert select_by_service(declared, "api").port == 81


def test_a_headless_service_ignores_its_target_port() -> None:
    declared = service({"port": 4000, "targetPort": 5000}, clusterIP="None")

    assert select_by_service(declared, "4000").port == 4000


def test_a_port_the_service_does_not_declare_is_refused_naming_those_it_does() -> None:
    declared = service({"name": "http", "port": 80, "targetPort": 4000}, {"port": 8080})

    with pytest.raises(Blocked) as caught:
        select_by_service(declared, "4000")

    assert caught.value.code == ConditionKind.TARGET_PORT_MISSING
    assert caught.value.message == "service/litellm has no port 4000; it declares 80 (http), 8080"


def test_a_udp_port_is_no_port_to_forward() -> None:
    with pytest.raises(Blocked):
        select_by_service(service({"port": 53, "protocol": "UDP"}), "53")


@pytest.mark.parametrize(
    "spec",
    [{"selector": None}, {"selector": {}}, {"type": "ExternalName", "externalName": "x.org"}],
)
def test_a_service_that_selects_no_pods_is_blocked(spec: dict[str, Any]) -> None:
    with pytest.raises(Blocked) as caught:
        select_by_service(service({"port": 80}, **spec), "80")

    assert caught.value.code == ConditionKind.TARGET_HAS_NO_SELECTOR


def test_a_workloads_labels_and_expressions_become_one_selector() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["x", "y"]},
            {"key": "env", "operator": "NotIn", "values": ["dev"]},
            {"key": "live", "operator": "Exists"},
            {"key": "canary", "operator": "DoesNotExist"},
        ],
    }

    read = objects.read(objects.LabelSelector, selector)
    assert format_selector(read) == "a=1,b=2,tier in (x,y),env notin (dev),live,!canary"


def test_a_deployments_pods_are_dialled_at_the_port_as_configured() -> None:
    target = Target(TargetKind.DEPLOYMENT, "litellm")
    workload = {"spec": {"selector": {"matchLabels": {"app": "litellm"}}}}

    assert select_by_workload(target, workload, "4000") == Selection("app=litellm", "", 4000)
    assert select_by_workload(target, workload, "http").port == "http"


def test_a_pod_target_is_that_pod_alone() -> None:
    assert select_directly(Target(TargetKind.POD, "x-0"), "4000") == Selection("", "x-0", 4000)


SELECTION = Selection("app=litellm", "", 4000)


def test_terminating_pods_take_no_new_connections() -> None:
    told = view(SERVICE, SELECTION, "litellm", [pod("old", is_terminating=True), pod("new")])

    assert [endpoint.pod for endpoint in told.endpoints] == ["new"]
    assert {pod.name for pod in told.pods} == {"old", "new"}


def test_a_pod_that_is_not_ready_is_passed_over_while_one_is() -> None:
    assert chosen(SELECTION, pod("a", is_ready=False), pod("b")) == [("b", 4000)]


def test_running_pods_are_the_last_resort_when_none_is_ready() -> None:
    pods = [
        pod("a", is_ready=False),
        pod("gone", is_ready=False, is_terminating=True),
        pod("done", is_ready=False, phase="Succeeded"),
        pod("new", is_ready=False, phase="Pending"),
    ]

    told = view(SERVICE, SELECTION, "litellm", pods)

    assert told.endpoints == (Endpoint("litellm", "a", "uid-a", 4000),)
    assert told.is_last_resort
    assert told.problem is None


def test_a_completed_job_that_carries_the_label_is_no_candidate() -> None:
    job = pod("migrations", is_ready=False, phase="Succeeded")

    assert chosen(SELECTION, job, pod("a")) == [("a", 4000)]


def test_the_newest_pod_comes_first() -> None:
    old, new = pod("a", created="2026-01-01T00:00:00Z"), pod("b", created="2026-01-02T00:00:00Z")

    assert chosen(SELECTION, old, new) == [("b", 4000), ("a", 4000)]


def test_no_pods_at_all_is_told_as_such() -> None:
    told = view(SERVICE, SELECTION, "litellm", [])

    assert isinstance(told.problem, Transient)
    assert told.problem.code == ConditionKind.NO_PODS
    assert "app=litellm" in told.problem.message


def test_pods_that_cannot_be_used_are_told_with_their_plight() -> None:
    pods = [
        pod("a", is_terminating=True, trouble="terminating"),
        pod("b", phase="Pending", is_ready=False),
        pod("c", has_running_container=False, is_ready=False, trouble="litellm: CrashLoopBackOff"),
    ]

    told = view(SERVICE, SELECTION, "litellm", pods)

    assert told.problem is not None
    assert told.problem.code == ConditionKind.NO_READY_POD
    assert "a (terminating)" in told.problem.message
    assert "b (pending)" in told.problem.message
    assert "c (litellm: CrashLoopBackOff)" in told.problem.message


def test_two_views_that_say_the_same_are_the_same() -> None:
    first, second = view(SERVICE, SELECTION, "x", []), view(SERVICE, SELECTION, "x", [])

    assert first.problem is not second.problem
    assert first.is_same_as(second)
    assert not first.is_same_as(view(SERVICE, SELECTION, "x", [pod("a")]))
    assert not first.is_same_as(None)


def test_a_pod_is_read_from_what_the_api_server_writes() -> None:
    item = {
        "metadata": {
            "name": "litellm-1",
            "namespace": "litellm",
            "uid": "u",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionTimestamp": "2026-01-01T01:00:00Z",
        },
        "spec": {
            "nodeName": "n",
            "containers": [
                {"ports": [{"name": "http", "containerPort": 4000}, {"containerPort": 9}]},
                {"ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]},
            ],
            "initContainers": [
                {"restartPolicy": "Always", "ports": [{"name": "proxy", "containerPort": 15001}]},
                {"ports": [{"name": "setup", "containerPort": 1}]},
            ],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"restartCount": 2}, {"restartCount": 1}],
        },
    }

    assert parse_pod(item) == Pod(
        name="litellm-1",
        namespace="litellm",
        uid="u",
        phase="Running",
        is_ready=True,
        is_terminating=True,
        ports={"http": 4000, "proxy": 15001, "setup": 1, "dns": 53},
        node="n",
        created="2026-01-01T00:00:00Z",
        restarts=3,
        trouble="terminating",
    )


def test_a_pod_that_has_only_just_been_made_has_nothing_yet() -> None:
    read = parse_pod({"metadata": {"name": "a"}, "spec": {"containers": [{}]}, "status": {}})

    assert not read.is_ready
    assert not read.is_candidate


def test_of_several_ports_with_one_name_the_first_containers_counts() -> None:
    def container(port: int, **fields: str) -> dict[str, object]:
        return {"name": "c", "ports": [{"name": "http", "containerPort": port}], **fields}

    spec = {
        "initContainers": [container(1, restartPolicy="Always")],
        "containers": [container(4000), container(9000)],
    }

    read = parse_pod({"metadata": {"name": "a"}, "spec": spec, "status": {}})

    assert read.ports == {"http": 4000}
