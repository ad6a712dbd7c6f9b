"""The simulated API server's watches, as watchers rely on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cluster_client import connected, pod_name
from pod_lists import PODS, Event, events, is_ready, listed, version_of

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster


def test_a_watch_from_a_version_sees_what_changed_since(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    name = pod_name(simulated_cluster)
    simulated_cluster.faults.set_ready(ready=False, pod=name)

    with connected(simulated_cluster) as client:
        event = next(events(client, f"resourceVersion={version}"))

    assert (event["type"], event["object"]["metadata"]["name"]) == ("MODIFIED", name)
    assert event["object"]["kind"] == "Pod"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(version)


def test_a_watch_without_a_version_begins_with_what_is_there(
    simulated_cluster: RemoteCluster,
) -> None:
    with connected(simulated_cluster) as client:
        stream = events(client, "timeoutSeconds=20")
        first = [next(stream) for _ in range(2)]

    assert [event["type"] for event in first] == ["ADDED", "ADDED"]


def test_a_graceful_delete_is_terminating_first_and_gone_last(
    simulated_cluster: RemoteCluster,
) -> None:
    version = version_of(simulated_cluster)
    with connected(simulated_cluster) as client:
        stream = events(client, f"resourceVersion={version}")
        name = simulated_cluster.faults.delete_pod()
        seen: list[Event] = []
        for event in stream:
            if event["object"]["metadata"]["name"] == name:
                seen.append(event)
            if event["type"] == "DELETED":
                break

    assert seen[0]["type"] == "MODIFIED"
    assert seen[0]["object"]["metadata"]["deletionTimestamp"]
    assert seen[-1]["type"] == "DELETED"


def test_a_watch_with_a_selector_sees_only_what_matches(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    one, other = (pod_name(simulated_cluster, number) for number in (0, 1))
    with connected(simulated_cluster) as client:
        stream = events(client, f"resourceVersion={version}&fieldSelector=metadata.name%3D{other}")
        simulated_cluster.faults.set_ready(ready=False, pod=one)
        simulated_cluster.faults.set_ready(ready=False, pod=other)

        assert next(stream)["object"]["metadata"]["name"] == other


def test_bookmarks_come_to_who_asks_for_them(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    simulated_cluster.faults.set_bookmarks(every_s=0.05)
    with connected(simulated_cluster) as client:
        query = f"resourceVersion={version}&allowWatchBookmarks=true"
        event = next(events(client, query))

    assert event["type"] == "BOOKMARK"
    assert int(event["object"]["metadata"]["resourceVersion"]) >= int(version)


def test_a_compacted_version_is_gone_in_the_stream(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    simulated_cluster.faults.compact()
    with connected(simulated_cluster) as client:
        (event,) = events(client, f"resourceVersion={version}")

    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_a_compaction_ends_a_running_watch(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    with connected(simulated_cluster) as client:
        stream = events(client, f"resourceVersion={version}")
        simulated_cluster.faults.set_ready(ready=False)
        next(stream)
        simulated_cluster.faults.compact()

        assert [event["type"] for event in stream] == ["ERROR"]


def test_a_compacted_version_can_be_gone_by_status(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    simulated_cluster.faults.compact(gone_as="http")
    with connected(simulated_cluster) as client:
        answer = client.ask("GET", f"{PODS}?watch=true&resourceVersion={version}")

    assert (answer.status, answer.json["reason"]) == (410, "Expired")


def test_a_watch_ends_at_its_timeout_and_when_it_is_closed(
    simulated_cluster: RemoteCluster,
) -> None:
    version = version_of(simulated_cluster)
    with connected(simulated_cluster) as client:
        assert list(events(client, f"resourceVersion={version}&timeoutSeconds=1")) == []
    with connected(simulated_cluster) as client:
        stream = events(client, f"resourceVersion={version}")
        simulated_cluster.faults.set_ready(ready=False)
        next(stream)
        simulated_cluster.faults.close_watches()

        assert list(stream) == []


def test_a_hung_watch_says_nothing_and_catches_up(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    simulated_cluster.faults.hang_watches()
    with connected(simulated_cluster) as client:
        stream = events(client, f"resourceVersion={version}")
        simulated_cluster.faults.set_ready(ready=False)
        client.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            next(stream)
    simulated_cluster.faults.hang_watches(hangs=False)
    with connected(simulated_cluster) as client:
        assert next(events(client, f"resourceVersion={version}"))["type"] == "MODIFIED"


def test_a_rollout_keeps_a_ready_pod_at_every_moment(simulated_cluster: RemoteCluster) -> None:
    version = version_of(simulated_cluster)
    pods = {pod["metadata"]["name"]: pod for pod in listed(simulated_cluster)["items"]}
    old = set(pods)
    with connected(simulated_cluster) as client:
        stream = events(client, f"resourceVersion={version}")
        simulated_cluster.faults.roll()
        fewest = len(pods)
        while old & set(pods):
            event = next(stream)
            pods[event["object"]["metadata"]["name"]] = event["object"]
            if event["type"] == "DELETED":
                del pods[event["object"]["metadata"]["name"]]
            fewest = min(fewest, sum(is_ready(pod) for pod in pods.values()))

    assert fewest == 2
