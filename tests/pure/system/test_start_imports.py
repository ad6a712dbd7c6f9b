"""What the daemon imports before its first answer, and what that reads."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

# All of it is asked in one interpreter, which takes half a second to import the daemon.
SCRIPT = """
import json, ssl, sys
usual = ssl.create_default_context
import llmgwd.app
imported = list(sys.modules)
from aiohttp.connector import _SSL_CONTEXT_VERIFIED as default
found = {
    "imported": imported,
    "is_usual_again": ssl.create_default_context is usual,
    "is_verifying": default.verify_mode is ssl.CERT_REQUIRED and default.check_hostname,
    "read_at_import": len(default.get_ca_certs()),
}
default.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
found["has_all_when_used"] = len(default.get_ca_certs()) == len(usual().get_ca_certs())
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def start() -> dict[str, Any]:
    """Import the daemon where nothing was imported before."""
    found = json.loads(subprocess.check_output([sys.executable, "-c", SCRIPT]))
    assert isinstance(found, dict)
    return found


def test_aiohttp_reads_the_systems_authorities_only_when_its_default_is_used(
    start: dict[str, Any],
) -> None:
    assert start["read_at_import"] == 0
    assert start["has_all_when_used"]
    assert start["is_verifying"]
    assert start["is_usual_again"]


def test_what_is_seldom_asked_for_is_not_imported_at_the_start(start: dict[str, Any]) -> None:
    late = {"llmgwd.doctor", "llmgwd.cluster.rest", "kubernetes_asyncio", "desktop_notifier"}

    assert "llmgwd.app" in start["imported"]
    assert not late & set(start["imported"])
