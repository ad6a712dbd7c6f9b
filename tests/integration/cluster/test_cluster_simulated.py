"""The cluster's rooms against the simulated cluster: real roles, real watches, real upgrades."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from views import Views

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster import target_watch
from llmgwd.cluster import upgrade as upgrades
from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.api_errors import Action, Forbidden, Unauthorized
from llmgwd.cluster.target_watch import TargetWatch
from llmgwd.cluster.upgrade import UpgradeChooser, upgrade
from llmgwd.config.target import Target
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwsim.cluster import SimulatedCluster
from llmgwsim.kubeconfig import Credentials, Exec
from llmgwsim.net.tls import SERVER_NAME
from llmgwsim.options import Options

if TYPE_CHECKING:
    from llmgwd.cluster.pods import Endpoint

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def cluster() -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster(Options(pods=2, start_s=0.05)) as running:
        yield running


@pytest.fixture
async def access(cluster: SimulatedCluster, tmp_path: Path) -> AsyncIterator[ClusterAccess]:
    path = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    opened = await open_access(str(path), None)
    yield opened
    await opened.close()


@asynccontextmanager
async def following(
    access: ClusterAccess, target: str = "service/litellm", port: str = "4000"
) -> AsyncIterator[Views]:
    watch, views = TargetWatch(access, "litellm", Target.parse(target), port), Views()
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run, views)
        yield views
        group.cancel_scope.cancel()


def pod_names(cluster: SimulatedCluster) -> list[str]:
    return [shown["name"] for shown in cluster.faults.pods()]


async def one_endpoint(access: ClusterAccess) -> Endpoint:
    async with following(access) as views:
        return (await views.until(lambda view: bool(view.endpoints))).endpoints[0]


async def refusal_of(access: ClusterAccess, endpoint: Endpoint) -> LlmgwError:
    with pytest.raises(LlmgwError) as caught:
        await UpgradeChooser().dial(access, endpoint)
    return caught.value


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
    monkeypatch.setattr(target_watch, "_POLL_S", 0.02)
    cluster.faults.set_role("no-watch")
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        cluster.faults.delete_pod(graceful=False)
        await views.until(lambda view: len(view.endpoints) == 1)
        await views.until(lambda view: len(view.endpoints) == 2)


async def test_a_role_that_may_get_one_pod_follows_that_pod(
    cluster: SimulatedCluster, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_watch, "_POLL_S", 0.02)
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
    monkeypatch.setattr(target_watch, "_MIN_WATCH_S", 0.0)
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
    monkeypatch.setattr(target_watch, "_MIN_WATCH_S", 0.0)
    async with following(access) as views:
        await views.names(*pod_names(cluster))
        await cluster.faults.rename_port("web")
        await views.until(
            lambda view: bool(view.pods) and all("web" in pod.ports for pod in view.pods)
        )


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


async def test_a_client_certificate_logs_in(cluster: SimulatedCluster, tmp_path: Path) -> None:
    credentials = Credentials(client=cluster.authority.client("demo"))
    path = cluster.write_kubeconfig(
        tmp_path / "kubeconfig", credentials, tls_server_name=SERVER_NAME
    )
    access = await open_access(str(path), None)

    assert await access.version() == "v1.36.2"
    (await UpgradeChooser().dial(access, await one_endpoint(access))).transport.abort()
    await access.close()


async def test_a_token_that_is_revoked_is_renewed_by_one_run_of_the_plugin(
    cluster: SimulatedCluster, tmp_path: Path
) -> None:
    token, runs = tmp_path / "token", tmp_path / "runs"
    token.write_text(cluster.faults.issue_token())
    script = (
        "import json, sys; open(sys.argv[2], 'a').write('x');"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1',"
        " 'kind': 'ExecCredential', 'status': {'token': open(sys.argv[1]).read()}}))"
    )
    plugin = Exec(sys.executable, ("-c", script, str(token), str(runs)))
    path = cluster.write_kubeconfig(tmp_path / "kubeconfig", Credentials(exec=plugin))
    access = await open_access(str(path), None)
    endpoint = await one_endpoint(access)
    (await UpgradeChooser().dial(access, endpoint)).transport.abort()

    cluster.faults.revoke_token()
    token.write_text(cluster.faults.issue_token())
    upgraded: list[UpgradeKind] = []

    async def dial() -> None:
        made = await UpgradeChooser().dial(access, endpoint)
        upgraded.append(made.way)
        made.transport.abort()

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(dial)

    assert upgraded == [UpgradeKind.SPDY] * 8
    assert runs.read_text() == "xx"
    await access.close()


async def test_a_revoked_token_is_a_login_that_has_expired(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    endpoint = await one_endpoint(access)
    cluster.faults.revoke_token()

    assert isinstance(await refusal_of(access, endpoint), Unauthorized)
    with pytest.raises(Blocked) as caught:
        await access.version()
    assert caught.value.code == ConditionKind.LOGIN_EXPIRED


async def test_an_api_server_that_is_down_is_tried_again(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    endpoint = await one_endpoint(access)
    cluster.faults.api_down()

    error = await refusal_of(access, endpoint)
    assert isinstance(error, Transient)
    assert error.code == ConditionKind.API_SERVER_UNREACHABLE
    await cluster.faults.api_up()

    (await UpgradeChooser().dial(access, endpoint)).transport.abort()
    assert await access.version() == "v1.36.2"


async def test_an_overloaded_api_server_says_when_to_come_back(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    cluster.faults.fail_requests(429, retry_after_s=3)

    with pytest.raises(Transient) as caught:
        await access.version()

    assert caught.value.retry_after_s == 3.0


async def test_what_a_login_may_do_is_told(
    cluster: SimulatedCluster, access: ClusterAccess
) -> None:
    cluster.faults.set_role("get-only")

    may_get = await access.self_subject_access(Action("get", "pods/portforward", "", "litellm"))
    may_create = await access.self_subject_access(
        Action("create", "pods/portforward", "", "litellm")
    )

    assert (may_get, may_create) == (True, False)
