"""Fixtures that every room of the suite may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llmgwd.demo.remote import RemoteCluster, cluster_in_thread


@pytest.fixture
def simulated_cluster() -> Iterator[RemoteCluster]:
    """A fresh cluster with two ready pods, in a thread and loop of its own."""
    with cluster_in_thread() as cluster:
        yield cluster
