"""Upgrades against the simulated cluster: each way, each role, each proxy in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from followed_target import one_endpoint, refusal_of

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster import upgrade as upgrades
from llmgwd.cluster.api_errors import Forbidden
from llmgwd.cluster.upgrade import UpgradeChooser, upgrade
from llmgwd.errors import Transient

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwsim.cluster import SimulatedCluster


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("way", list(UpgradeKind))
async def test_each_way_is_let_in(access: ClusterAccess, way: UpgradeKind) -> None:
    upgraded = await upgrade(access, await one_endpoint(access), way)

    assert upgraded.way is way
    upgraded.transport.abort()


@pytest.mark.parametrize(
    ("role", "verbs", "way"),
    [
        ("create-only", "get,create", UpgradeKind.SPDY),
        ("create-only", "get", UpgradeKind.SPDY),
        ("get-create", "get,create", UpgradeKind.SPDY),
        ("get-only", "get", UpgradeKind.WEBSOCKET),
    ],
)
async def test_each_role_comes_in_by_the_way_it_has(
    cluster: SimulatedCluster, access: ClusterAccess, role: str, verbs: str, way: UpgradeKind
) -> None:
    cluster.faults.set_role(role)
    cluster.faults.websocket_verbs(verbs)

    upgraded = await UpgradeChooser().dial(access, await one_endpoint(access))

    assert upgraded.way is way
    upgraded.transport.abort()


async def test_a_role_with_get_alone_is_shown_the_rule_for_create(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    cluster.faults.set_role("get-only")

    error = await refusal_of(access, await one_endpoint(access))

    assert isinstance(error, Forbidden)
    assert "may not create pods/portforward in namespace litellm" in error.message
    assert '{apiGroups: [""], resources: ["pods/portforward"], verbs: ["create"]}' in error.remedy


async def test_behind_a_proxy_without_spdy_a_role_with_create_alone_is_shown_get(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    endpoint = await one_endpoint(access)
    cluster.faults.set_role("create-only")
    cluster.faults.refuse_upgrades(spdy=502)

    error = await refusal_of(access, endpoint)

    assert isinstance(error, Forbidden)
    assert "may not get pods/portforward" in error.message


async def test_behind_a_proxy_without_upgrades_the_proxy_is_blamed(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    endpoint = await one_endpoint(access)
    cluster.faults.refuse_upgrades(spdy=502, websocket=403)

    error = await refusal_of(access, endpoint)

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.UPGRADE_REFUSED
    assert "502" in error.message


async def test_a_pod_that_is_gone_sends_the_dial_elsewhere(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    endpoint = await one_endpoint(access)
    cluster.faults.delete_pod(pod=endpoint.pod, graceful=False)

    error = await refusal_of(access, endpoint)

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.NO_PODS


async def test_upgrades_that_are_never_answered_are_given_up(
    cluster: SimulatedCluster, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades, "_ANSWER_S", 0.1)
    endpoint = await one_endpoint(access)
    cluster.faults.hang(hangs=True, upgrades=True)

    error = await refusal_of(access, endpoint)

    assert isinstance(error, Transient)
    assert "silence" in error.message
