"""What the daemon imports before its first answer, and what that reads."""

from __future__ import annotations

import subprocess
import sys


def _printed_by(code: str) -> list[str]:
    """Run it in an interpreter of its own: this one has imported everything already."""
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


def test_aiohttp_reads_the_systems_authorities_only_when_its_default_is_used() -> None:
    printed = _printed_by(
        "import ssl; usual = ssl.create_default_context\n"
        "from llmgwd.system.lean_aiohttp import aiohttp\n"
        "from aiohttp.connector import _SSL_CONTEXT_VERIFIED as default\n"
        "assert ssl.create_default_context is usual\n"
        "assert default.verify_mode is ssl.CERT_REQUIRED and default.check_hostname\n"
        "print(len(default.get_ca_certs()))\n"
        "default.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname='localhost')\n"
        "print(len(default.get_ca_certs()) == len(usual().get_ca_certs()))\n"
    )

    assert printed == ["0", "True"]


def test_what_is_seldom_asked_for_is_not_imported_at_the_start() -> None:
    late = {"llmgwd.doctor", "llmgwd.cluster.rest", "kubernetes_asyncio", "desktop_notifier"}

    imported = _printed_by("import sys, llmgwd.app; print(*sys.modules)")

    assert not late & set(imported)
