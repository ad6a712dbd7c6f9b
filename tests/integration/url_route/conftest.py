"""Fixtures of the url route's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmgwsim.net.tls import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that the system trusts."""
    made = Authority()
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(made.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return made
