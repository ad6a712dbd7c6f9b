"""The doctor's decisions: what a pod ails from, what must be granted, what is skipped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import structlog.testing
import yaml

from llmgwctl.doctor.machine import check_service
from llmgwctl.service.state import ServiceState
from llmgwctl.wire import CheckState, CheckStatus
from llmgwd.cluster.target import objects
from llmgwd.cluster.target.pod_troubles import latest_warning, trouble
from llmgwd.config.model import ClusterRoute
from llmgwd.config.target import Target
from llmgwd.doctor.checks import Check, Examination, Finding, Skip, failure, info, ok, warning
from llmgwd.doctor.permissions import needs, role, shown
from llmgwd.errors import Blocked, Transient

READY = {"type": "Ready", "status": "True"}


def pod(
    phase: str = "Running", conditions: Any = (READY,), containers: Any = (), **metadata: Any
) -> dict[str, Any]:
    status = {"phase": phase, "conditions": conditions, "containerStatuses": containers}
    return {"metadata": {"name": "p", **metadata}, "status": status}


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "litellm", "restartCount": 0, "state": {"running": {}}, **fields}


ENDED = {
    "terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-23T10:00:00Z"}
}
NO_NODE = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (pod(containers=[container()]), None),
        (pod(deletionTimestamp="2026-11-23T10:00:00Z"), "terminating"),
        (pod(conditions=()), "running, not Ready"),
        (pod("Pending", [NO_NODE]), "Pending: 0/3 nodes are available"),
        (pod("Pending", ()), "Pending"),
        (
            pod(containers=[container(restartCount=2, lastState=ENDED)]),
            "litellm: 2 restarts, last ended OOMKilled at 2026-11-23T10:00:00Z",
        ),
        (
            pod(
                "Pending",
                (),
                [container(state={"waiting": {"reason": "ImagePullBackOff"}})],
            ),
            "litellm: ImagePullBackOff",
        ),
        (
            pod("Pending", (), [container(state={"waiting": {"reason": "ContainerCreating"}})]),
            "Pending",
        ),
        (
            pod(
                containers=[
                    container(
                        restartCount=1, lastState={"terminated": {"exitCode": 3, "reason": "Error"}}
                    )
                ]
            ),
            "litellm: 1 restart, last ended with exit status 3",
        ),
    ],
)
def test_a_pods_trouble_is_one_phrase(item: dict[str, Any], words: str | None) -> None:
    assert trouble(objects.read(objects.PodObject, item)) == words


def test_the_newest_warning_about_a_pod_is_told() -> None:
    def event(name: str, kind: str, seen: str, message: str) -> objects.EventObject:
        item = {
            "type": kind,
            "involvedObject": {"name": name},
            "reason": "BackOff",
            "lastTimestamp": seen,
            "message": message,
        }
        return objects.read(objects.EventObject, item)

    events = [
        event("p", "Warning", "2026-11-23T10:00:02Z", "the\n newest"),
        event("p", "Warning", "2026-11-23T10:00:01Z", "older"),
        event("p", "Normal", "2026-11-23T10:00:03Z", "no warning"),
        event("q", "Warning", "2026-11-23T10:00:04Z", "another's"),
    ]

    assert latest_warning(events, "p") == "BackOff: the newest"
    assert latest_warning([], "p") is None


@pytest.mark.parametrize(
    ("route", "secret", "words"),
    [
        (
            ClusterRoute(),
            "s",
            "get/list/watch services, list/watch pods, create/get pods/portforward, get pods/log, "
            "get/watch secrets",
        ),
        (
            ClusterRoute(target=Target.parse("deployment/litellm")),
            None,
            "get deployments, list/watch pods, create/get pods/portforward, get pods/log",
        ),
        (
            ClusterRoute(target=Target.parse("pod/litellm-0")),
            None,
            "get/watch pods, create/get pods/portforward, get pods/log",
        ),
        (
            ClusterRoute(target=Target.parse("app=litellm")),
            None,
            "list/watch pods, create/get pods/portforward, get pods/log",
        ),
    ],
)
def test_each_target_needs_its_own_verbs(
    route: ClusterRoute, secret: str | None, words: str
) -> None:
    assert shown(needs(route, secret)) == words


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("jane@example", {"kind": "User", "name": "jane@example"}),
        (
            "system:serviceaccount:ci:robot",
            {"kind": "ServiceAccount", "namespace": "ci", "name": "robot"},
        ),
        (None, {"kind": "User", "name": "YOUR-LOGIN"}),
    ],
)
def test_the_role_is_bound_to_who_asks(user: str | None, subject: dict[str, str]) -> None:
    lines = role(needs(ClusterRoute(), "litellm-secrets"), "litellm", user).splitlines()
    granting, binding = yaml.safe_load_all("\n".join(lines[1:-1]))

    bound = binding["subjects"][0]
    assert {name: bound[name] for name in subject} == subject
    secret_rule = next(rule for rule in granting["rules"] if rule["resources"] == ["secrets"])
    assert secret_rule["resourceNames"] == ["litellm-secrets"]
    assert {kind["metadata"]["namespace"] for kind in (granting, binding)} == {"litellm"}


def perform(*checks: Check[None]) -> list[CheckStatus]:
    async def gather() -> list[CheckStatus]:
        examination = Examination(checks, None, "f")
        return [line async for line in examination.lines()]

    return anyio.run(gather)


def finds(*findings: Finding) -> Callable[[None], Awaitable[list[Finding]]]:
    async def check(_: None) -> list[Finding]:
        return list(findings)

    return check


def raises(error: Exception) -> Callable[[None], Awaitable[Finding]]:
    async def check(_: None) -> Finding:
        raise error

    return check


def test_what_rests_on_a_failure_is_skipped_and_names_the_first_cause() -> None:
    lines = perform(
        Check("a", finds(failure("broken"))),
        Check("b", finds(ok("unseen")), ("a",)),
        Check("c", finds(ok("unseen")), ("b",)),
        Check("d", finds(ok("fine"))),
    )

    assert [(line["state"], line["skipped_by"]) for line in lines] == [
        ("failed", None),
        ("skipped", "a"),
        ("skipped", "a"),
        ("ok", None),
    ]


def test_a_warning_keeps_nobody_from_going_on() -> None:
    lines = perform(
        Check("a", finds(warning("hm"), info("so"))), Check("b", finds(ok("fine")), ("a",))
    )

    assert [line["state"] for line in lines] == ["warning", "info", "ok"]


def test_a_check_that_breaks_leaves_its_traceback_in_the_log() -> None:
    with structlog.testing.capture_logs() as logged:
        (line,) = perform(Check("a", raises(ZeroDivisionError("ours"))))

    assert (line["found"], line["remedy"]) == (
        "the check itself broke: ZeroDivisionError",
        "llmgwctl service logs",
    )
    assert logged[0]["check"] == "a"
    assert isinstance(logged[0]["exc_info"], ZeroDivisionError)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Transient("x", "again"), "failed"),
        (Blocked("x", "a person"), "needs-person"),
        (ZeroDivisionError("ours"), "failed"),
        (Skip("earlier"), "skipped"),
    ],
)
def test_an_error_becomes_a_line_and_the_rest_goes_on(error: Exception, state: str) -> None:
    lines = perform(Check("a", raises(error)), Check("b", finds(ok("fine"))))

    assert [line["state"] for line in lines] == [state, "ok"]


@pytest.mark.parametrize(
    ("facts", "lingers", "state", "words"),
    [
        (ServiceState(), None, CheckState.INFO, "started by hand"),
        (ServiceState("systemd"), None, CheckState.WARNING, "not installed"),
        (ServiceState("systemd", is_installed=True), None, CheckState.WARNING, "not enabled"),
        (ServiceState("systemd", True, True), False, CheckState.INFO, "ends with the last session"),
        (ServiceState("systemd", True, True), True, CheckState.OK, "stays after logout"),
        (
            ServiceState("launchd", True, True),
            None,
            CheckState.OK,
            "launchd: installed",
        ),
        (
            ServiceState("systemd", True, True, has_failed=True, result="exit status 78"),
            None,
            CheckState.FAILED,
            "the service failed",
        ),
    ],
)
def test_the_service_manager_is_judged(
    facts: ServiceState, lingers: bool | None, state: CheckState, words: str
) -> None:
    line = check_service(facts, lingers)

    assert line["state"] == state
    assert words in line["found"]
