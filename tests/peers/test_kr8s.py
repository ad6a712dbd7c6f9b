"""kr8s, a Python client that shares no code with ours, works against the simulated cluster."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from support.ports import free_port

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster


@pytest.fixture(autouse=True)
def kr8s_installed() -> None:
    if importlib.util.find_spec("kr8s") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("kr8s is not installed")
        pytest.skip("kr8s is not installed; it is in the test extra")


async def _api(cluster: RemoteCluster) -> Any:
    import kr8s.asyncio

    return await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig))


def test_kr8s_lists_the_pods(simulated_cluster: RemoteCluster) -> None:
    async def main() -> list[str]:
        api = await _api(simulated_cluster)
        return [pod.name async for pod in api.get("pods", namespace="litellm")]

    names = asyncio.run(asyncio.wait_for(main(), 20))

    assert sorted(names) == sorted(pod["name"] for pod in simulated_cluster.faults.pods())


def test_kr8s_forwards_a_port(simulated_cluster: RemoteCluster) -> None:
    def get(port: int) -> bytes:
        url = f"http://127.0.0.1:{port}/health/liveliness"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bytes(answer.read())

    async def main() -> bytes:
        from kr8s.asyncio.objects import Pod

        api = await _api(simulated_cluster)
        name = simulated_cluster.faults.pods()[0]["name"]
        pod = await Pod.get(name, namespace="litellm", api=api)
        async with pod.portforward(remote_port=4000, local_port=free_port()) as port:
            return await asyncio.to_thread(get, port)

    assert asyncio.run(asyncio.wait_for(main(), 20)) == b'"I\'m alive!"'
    assert simulated_cluster.faults.counts()["upgrades"] == {"channels": 1}
