"""The conformance suite's fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.conformance.world import World, world_in_thread


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with world_in_thread() as world:
        yield world


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kubectl's home: what it has found out about a server is kept for the next case."""
    return tmp_path_factory.mktemp("home")
