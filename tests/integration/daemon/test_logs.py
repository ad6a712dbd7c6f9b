"""llmgwctl logs against the simulated cluster: all pods, merged, across a rollout."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmgwd.cluster.logs import serving_container
from llmgwd.cluster.target import objects
from support.called import call, command, environment
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    from llmgwctl.wire import LogLine
    from llmgwsim.remote import RemoteCluster


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    with running(tmp_path, simulated_cluster.kubeconfig) as running_daemon:
        running_daemon.wait_for("ready")
        yield running_daemon


def pod_names(cluster: RemoteCluster) -> list[str]:
    return [pod["name"] for pod in cluster.faults.pods()]


def read(daemon: RunningDaemon, *flags: str) -> list[LogLine]:
    ended = call(daemon, "logs", "--json", *flags)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_lines_of_all_pods_come_in_the_order_of_their_times(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    first, second = pod_names(simulated_cluster)
    for number in range(6):
        pod = second if number % 2 else first
        simulated_cluster.faults.log_line(text=f"line {number}", pod=pod)

    lines = [entry for entry in read(daemon) if entry["line"].startswith("line ")]

    assert [entry["line"] for entry in lines] == [f"line {n}" for n in range(6)]
    assert [entry["pod"] for entry in lines] == [first, second] * 3


def test_tail_and_grep_choose(daemon: RunningDaemon, simulated_cluster: RemoteCluster) -> None:
    pod = pod_names(simulated_cluster)[0]
    for number in range(20):
        simulated_cluster.faults.log_line(text=f"Entry {number}", pod=pod)

    tailed = read(daemon, "--tail", "3", "--grep", "Entry")
    matched = read(daemon, "-i", "--grep", "ENTRY 1.$")

    assert [entry["line"] for entry in tailed][-1] == "Entry 19"
    assert len(tailed) <= 3
    assert [entry["line"] for entry in matched] == [f"Entry 1{n}" for n in range(10)]


def test_requests_are_shown_without_health_probes(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    for path, status in (("/v1/messages", 529), ("/health/liveliness", 200)):
        text = f'INFO:     10.0.0.7:5123 - "POST {path} HTTP/1.1" {status} '
        simulated_cluster.faults.log_line(text=text, pod=pod_names(simulated_cluster)[0])

    ended = call(daemon, "logs", "--requests")

    (line,) = ended.stdout.splitlines()
    assert line.endswith(" 529 POST /v1/messages")


def test_a_rollout_is_followed(daemon: RunningDaemon, simulated_cluster: RemoteCluster) -> None:
    old = pod_names(simulated_cluster)
    with subprocess.Popen(
        command(daemon, "logs", "-f", "--json"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(daemon.config_path.parent),
    ) as following:
        assert following.stdout is not None
        entries = (json.loads(line) for line in following.stdout)
        simulated_cluster.faults.log_line(text="before", pod=old[0])
        until(entries, lambda entry: entry["line"] == "before")

        simulated_cluster.faults.roll(grace_s=0.2, wait=True)
        (new,) = [name for name in pod_names(simulated_cluster) if name not in old][:1]
        simulated_cluster.faults.log_line(text="after", pod=new)
        seen = until(
            entries,
            lambda entry: entry["line"] == "after",
            lambda entry: entry["note"] == "ended" and entry["pod"] == old[0],
        )

        following.terminate()
    joined = [entry["pod"] for entry in seen if entry["note"] == "joined"]
    assert new in joined
    assert [entry["line"] for entry in seen].count("after") == 1


def until(entries: Iterator[LogLine], *claims: object) -> list[LogLine]:
    """Read until each claim has held for some entry; give all that came."""
    seen: list[LogLine] = []
    open_claims = list(claims)
    for entry in entries:
        seen.append(entry)
        open_claims = [claim for claim in open_claims if not claim(entry)]  # type: ignore[operator]
        if not open_claims:
            return seen
    raise AssertionError(f"the lines ended before all was seen: {seen[-5:]}")


def test_a_break_loses_and_doubles_nothing(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    pod = pod_names(simulated_cluster)[0]
    with subprocess.Popen(
        command(daemon, "logs", "-f", "--json", "--grep", "^n[0-9]"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(daemon.config_path.parent),
    ) as following:
        assert following.stdout is not None
        entries = (json.loads(line) for line in following.stdout)
        simulated_cluster.faults.log_line(text="n1", pod=pod)
        until(entries, lambda entry: entry["line"] == "n1")

        simulated_cluster.faults.cut()
        simulated_cluster.faults.log_line(text="n2", pod=pod)
        simulated_cluster.faults.log_line(text="n3", pod=pod)
        seen = until(entries, lambda entry: entry["line"] == "n3")

        following.terminate()
    assert [entry["line"] for entry in seen if entry["note"] is None] == ["n2", "n3"]


def test_a_restart_of_the_daemon_is_lived_through(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    pod = pod_names(simulated_cluster)[0]
    with subprocess.Popen(
        command(daemon, "logs", "-f", "--json", "--grep", "^n[0-9]"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(daemon.config_path.parent),
    ) as following:
        assert following.stdout is not None
        entries = (json.loads(line) for line in following.stdout)
        simulated_cluster.faults.log_line(text="n1", pod=pod)
        until(entries, lambda entry: entry["line"] == "n1")

        daemon.end()
        simulated_cluster.faults.log_line(text="n2", pod=pod)
        daemon.launch()
        seen = until(entries, lambda entry: entry["line"] == "n2")

        following.terminate()
    assert [entry["line"] for entry in seen if entry["note"] is None] == ["n2"]


def test_a_missing_permission_is_said_with_its_rule(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.deny(verb="get", resource="pods/log")

    ended = call(daemon, "logs")

    assert ended.returncode == 1
    assert "may not get pods/log in namespace litellm" in ended.stderr
    assert 'verbs: ["get"]' in ended.stderr


def test_the_container_that_serves_is_chosen() -> None:
    sidecar = {"name": "proxy"}
    server = {"name": "litellm", "ports": [{"containerPort": 4000}]}
    annotation = {"kubectl.kubernetes.io/default-container": "proxy"}

    def pod(*containers: dict[str, Any], **annotations: str) -> objects.AnnotatedPod:
        item = {"metadata": {"annotations": annotations}, "spec": {"containers": containers}}
        return objects.read(objects.AnnotatedPod, item)

    assert serving_container(pod(sidecar, server), 4000) == "litellm"
    assert serving_container(pod(sidecar, server), None) == "proxy"
    assert serving_container(pod(sidecar, server, **annotation), 4000) == "proxy"
    assert serving_container(pod(server), 4000) == ""
