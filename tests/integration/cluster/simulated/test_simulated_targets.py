"""Targets in the simulated cluster: real watches, rollouts, roles and services that go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from followed_target import following

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.target import pod_watch, target_watch
from llmgwd.cluster.upgrade import UpgradeChooser

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwsim.cluster import SimulatedCluster


pytestmark = pytest.mark.anyio


def pod_names(cluster: SimulatedCluster) -> list[str]:
    return [shown["name"] for shown in cluster.faults.pods()]


async def test_a_service_leads_to_its_ready_pods_and_their_named_port(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    async with following(access) as views:
        view = await views.names(*pod_names(cluster))

    assert {endpoint.port for endpoint in view.endpoints} == {4000}
    assert not view.is_last_resort


async def test_a_rollout_is_followed_to_the_new_pods(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    before = set(pod_names(cluster))
    async with following(access) as views:
        await views.names(*before)
        await cluster.faults.roll()
        view = await views.until(
            lambda view: (
                len(view.endpoints) == 2
                and not before & {endpoint.pod for endpoint in view.endpoints}
            )
        )

    # At no time was there nothing to dial.
    assert all(told.endpoints for told in views.told)
    assert all(not told.is_last_resort for told in views.told)
    assert view.problem is None


async def test_all_pods_gone_is_told_and_heals_when_one_is_back(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        await cluster.faults.scale(0)
        await views.until(lambda view: not view.endpoints)
        await cluster.faults.scale(1)
        await views.until(lambda view: len(view.endpoints) == 1)


async def test_a_node_without_heartbeats_leaves_its_pods_as_the_last_resort(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        cluster.faults.lose_node()
        view = await views.until(lambda view: view.is_last_resort)
        assert {endpoint.pod for endpoint in view.endpoints} == set(pod_names(cluster))
        cluster.faults.lose_node(False)
        await views.until(lambda view: not view.is_last_resort)


@pytest.mark.parametrize("gone_as", ["event", "http"])
async def test_compacted_versions_do_not_stop_the_watch(
    cluster: SimulatedCluster, access: ClusterAccess, gone_as: str
) -> None:
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        cluster.faults.compact(gone_as)
        cluster.faults.close_watches()
        await cluster.faults.scale(3)
        await views.until(lambda view: len(view.endpoints) == 3)


@pytest.mark.parametrize("target", ["deployment/litellm", "app=litellm"])
async def test_other_targets_lead_to_the_same_pods(
    cluster: SimulatedCluster, access: ClusterAccess, target: str
) -> None:
    async with following(access, target, "http") as views:
        view = await views.names(*pod_names(cluster))

    assert {endpoint.port for endpoint in view.endpoints} == {4000}


async def test_a_role_without_watch_still_follows(
    cluster: SimulatedCluster, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_watch, "_POLL_S", 0.02)
    cluster.faults.set_role("no-watch")
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        cluster.faults.delete_pod(graceful=False)
        await views.until(lambda view: len(view.endpoints) == 1)
        await views.until(lambda view: len(view.endpoints) == 2)


async def test_a_role_that_may_get_one_pod_follows_that_pod(
    cluster: SimulatedCluster, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_watch, "_POLL_S", 0.02)
    cluster.faults.set_role("get-one-pod")
    name = pod_names(cluster)[0]
    async with following(access, f"pod/{name}") as views:
        view = await views.names(name)
        upgraded = await UpgradeChooser().dial(access, view.endpoints[0])
        upgraded.transport.abort()
        cluster.faults.delete_pod(pod=name, graceful=False)
        await views.problem(ConditionKind.NO_PODS)


async def test_a_service_that_is_removed_is_told_from_a_namespace_that_is(
    cluster: SimulatedCluster, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_watch, "_REREAD_S", 0.05)
    monkeypatch.setattr(target_watch, "_MISSING_RETRY_S", 0.05)
    monkeypatch.setattr(target_watch, "_REREAD_PAUSE_S", 0.0)
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        cluster.faults.remove_service()
        await views.problem(ConditionKind.TARGET_MISSING)
        cluster.faults.remove_namespace()
        await views.problem(ConditionKind.NAMESPACE_MISSING)


async def test_a_renamed_port_of_the_pods_is_told_or_followed(
    cluster: SimulatedCluster, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_watch, "_REREAD_S", 0.05)
    monkeypatch.setattr(target_watch, "_REREAD_PAUSE_S", 0.0)
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        await cluster.faults.rename_port("web")
        await views.until(
            lambda view: bool(view.pods) and all("web" in pod.ports for pod in view.pods)
        )
