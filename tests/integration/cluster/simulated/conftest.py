"""A simulated cluster and an access to it, in the loop of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwsim.cluster import SimulatedCluster
from llmgwsim.options import Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


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
