"""Fixtures of the client's and the control API's tests."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.client import sample
from support.client.plain_daemon import Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's: pytest's own are too long."""
    made = tempfile.mkdtemp(prefix="lg-")
    yield Path(made)
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with serve(folder, sample.SEVERAL) as found:
        yield found
