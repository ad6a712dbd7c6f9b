"""Fixtures of the relay's tests."""

from __future__ import annotations

import pytest

from support import loops


@pytest.fixture
def anyio_backend() -> loops.Backend:
    return loops.of_the_daemon()
