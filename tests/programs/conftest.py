"""A real LiteLLM in a pod of the simulated cluster, a daemon before it, and a home for programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from person import OLD_KEY, QUIET, Person, World
from trap import trap

from llmgwctl.wire import ApiPath
from llmgwsim.gateway.settings import GatewaySettings
from llmgwsim.options import Options
from llmgwsim.remote import cluster_in_thread
from support.called import PROGRAM
from support.fake_provider import provider
from support.litellm_process import MASTER_KEY, litellm_process, run_in_all_pods
from support.running_daemon import running


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("programs")
    options = Options(pods=0, gateway=GatewaySettings(master_key=MASTER_KEY))
    with (
        provider() as serving,
        litellm_process(folder, "config-programs.yaml", provider_port=serving.port) as gateway,
        cluster_in_thread(options) as cluster,
    ):
        gateway.wait()
        run_in_all_pods(cluster, gateway)
        cluster.faults.scale(replicas=1)
        with running(folder, cluster.kubeconfig) as daemon:
            daemon.wait_for("ready")
            listed = {"forward": "litellm"}
            daemon.wait_until(
                lambda: daemon.client.get(ApiPath.MODELS, listed)["age_s"] is not None, "listed"
            )
            yield World(cluster, daemon, serving)


@pytest.fixture
def person(tmp_path: Path, world: World) -> Iterator[Person]:
    with trap() as caught:
        proxies = {
            name: caught.url
            for bare in ("http_proxy", "https_proxy", "all_proxy")
            for name in (bare, bare.upper())
        }
        leftovers = {
            "ANTHROPIC_CUSTOM_HEADERS": f"x-litellm-api-key: Bearer {OLD_KEY}",
            "LITELLM_MASTER_KEY": OLD_KEY,
            "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
        }
        yield Person(tmp_path, world, caught, leftovers | proxies | QUIET)
