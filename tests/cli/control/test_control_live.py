"""The control API of a real daemon on a simulated cluster: true to its document, never waiting."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from llmgwctl.wire import ApiPath as Route
from llmgwctl.wire import Event, Exit, Status
from llmgwd.control.endpoints.table import TABLE
from llmgwd.control.openapi import document
from llmgwsim.remote import cluster_in_thread
from support.client.unix_requests import session_over
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    import requests

    from llmgwsim.remote import RemoteCluster

CONFIG = '[[forward]]\nname = "litellm"\nlisten = "localhost:PORT"\n'


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("live")
    with cluster_in_thread() as cluster, running(folder, cluster.kubeconfig, CONFIG) as daemon:
        daemon.wait_for("ready")
        yield daemon


@pytest.fixture(scope="module")
def session(live: RunningDaemon) -> requests.Session:
    return session_over(live.socket)


schema = schemathesis.openapi.from_dict(document(TABLE))


@schema.parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_real_daemon_answers_as_its_document_says(
    case: schemathesis.CheckContext, session: requests.Session
) -> None:
    # "Not healthy" and "not now" are 503 by contract, and no failures of the server's.
    response = case.call_and_validate(
        session=session,
        base_url="http://llmgwd",
        timeout=60,
        excluded_checks=[not_a_server_error],
    )

    assert response.status_code != 500


def test_what_a_real_daemon_tells_has_the_shapes_of_the_contract(live: RunningDaemon) -> None:
    msgspec.convert(live.client.get(Route.STATUS), type=Status)

    events = list(live.client.lines(Route.EVENTS, {"since_s": 3600, "follow": False}))

    numbers = [msgspec.convert(event, type=Event)["seq"] for event in events]
    assert numbers == [*range(numbers[0], numbers[0] + len(numbers) - 1), numbers[-2]]
    assert events[-1]["kind"] == "snapshot"


def test_status_is_answered_while_the_cluster_hangs(
    simulated_cluster: RemoteCluster, tmp_path: Path
) -> None:
    simulated_cluster.faults.black_hole()
    with running(tmp_path, simulated_cluster.kubeconfig, CONFIG) as daemon:
        command = [sys.executable, "-m", "llmgwctl", "--socket", daemon.socket, "status"]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert (done.returncode, done.stderr) == (Exit.NOT_SO, "")
        assert "service/litellm" in done.stdout
