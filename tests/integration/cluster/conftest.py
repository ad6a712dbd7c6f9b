"""Fixtures of the cluster's tests."""

from __future__ import annotations

import pytest

from support import loops


@pytest.fixture
def anyio_backend() -> loops.Backend:
    return loops.of_the_daemon()


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
