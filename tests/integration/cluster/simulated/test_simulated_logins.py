"""Logins and failures of the simulated API server, and what a login may do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import pytest
from followed_target import one_endpoint, refusal_of

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.api_errors import Action, Unauthorized
from llmgwd.cluster.upgrade import UpgradeChooser
from llmgwd.errors import Blocked, Transient
from llmgwsim.kubeconfig import Credentials, Exec
from llmgwsim.net.tls import SERVER_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.cluster import SimulatedCluster


pytestmark = pytest.mark.anyio


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
