"""Fixtures of the doctor's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from doctor_call import Doctor

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster


@pytest.fixture
def doctor(tmp_path: Path, simulated_cluster: RemoteCluster) -> Doctor:
    """Where no daemon runs."""
    return Doctor(tmp_path, simulated_cluster.kubeconfig)
