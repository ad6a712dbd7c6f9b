"""The Kubernetes library is imported in part only, and is whole for any program that wants more."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_asyncio

from llmgwd.cluster.kubernetes_library import ApiClient, Configuration, RESTClientObject
from llmgwd.cluster.library_session import LibraryClient, _RestClient

if TYPE_CHECKING:
    import pytest

# The plain import: 960 modules and 38 MB. The lean one, on 33.3 to 36.1: some 100 and 8.
MOST_MODULES = 150
MOST_MB = 12

# What the daemon has loaded by then anyway.
_MEASURE = """
import json, sys
import aiohttp, anyio, msgspec, ssl, structlog
def resident_mb():
    try:
        lines = open("/proc/self/status").read().splitlines()
    except OSError:
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
modules, before_mb = len(sys.modules), resident_mb()
from llmgwd.cluster import kubernetes_library
print(json.dumps({
    "modules": len(sys.modules) - modules,
    "mb": resident_mb() - before_mb,
    "is_lean": kubernetes_library.is_lean,
    "api": kubernetes_library.CoreV1Api.__module__,
}))
"""

_WHOLE = """
import llmgwd.cluster.kubernetes_library as ours
import kubernetes_asyncio
from kubernetes_asyncio import client, config, watch
assert ours.is_lean
assert client.CoreV1Api is ours.CoreV1Api and client.ApiClient is ours.ApiClient
assert client.AppsV1Api is ours.apps_v1_api()
assert client.V1Pod(metadata=client.V1ObjectMeta(name="a")).metadata.name == "a"
assert client.models.V1Service and client.api.BatchV1Api and client.rest.RESTClientObject
assert watch.Watch and config.load_kube_config and kubernetes_asyncio.__version__
"""

_BEFORE = """
import kubernetes_asyncio.client
import llmgwd.cluster.kubernetes_library as ours
assert not ours.is_lean
assert ours.CoreV1Api is kubernetes_asyncio.client.CoreV1Api
assert ours.apps_v1_api() is kubernetes_asyncio.client.AppsV1Api
"""


def in_a_process(text: str, *search: Path) -> str:
    """Run a program in an interpreter that has imported nothing yet; give what it printed."""
    path = f"import sys; sys.path[:0] = {[str(each) for each in search]!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", path + text], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_takes_few_modules_and_little_memory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cost: dict[str, Any] = json.loads(in_a_process(_MEASURE))

    with capsys.disabled():
        version = kubernetes_asyncio.__version__
        print(f"\nkubernetes_asyncio {version}: {cost['modules']} modules, {cost['mb']:.1f} MB")
    assert cost["is_lean"]
    assert cost["modules"] < MOST_MODULES
    assert cost["mb"] < MOST_MB


def test_what_was_put_off_is_there_for_a_program_that_asks_for_it() -> None:
    in_a_process(_WHOLE)


def test_a_library_that_was_imported_whole_before_is_used_as_it_is() -> None:
    in_a_process(_BEFORE)


def test_a_library_of_another_layout_is_imported_the_plain_way(tmp_path: Path) -> None:
    names = (
        "ApiClient AppsV1Api AuthenticationV1Api AuthorizationV1Api Configuration CoreV1Api "
        "VersionApi"
    )
    package = tmp_path / "kubernetes_asyncio"
    package.mkdir()
    (package / "__init__.py").touch()
    classes = "\n".join(f"class {name}: pass" for name in names.split())
    (package / "client.py").write_text(f"{classes}\nclass rest:\n    class RESTClientObject: pass")

    cost: dict[str, Any] = json.loads(in_a_process(_MEASURE, tmp_path))

    assert (cost["is_lean"], cost["api"]) == (False, "kubernetes_asyncio.client")


def test_our_client_has_every_attribute_that_the_librarys_own_has() -> None:
    async def theirs() -> tuple[set[str], set[str]]:
        async with ApiClient(Configuration()) as client:
            return set(vars(client)), set(vars(client.rest_client))

    ours = LibraryClient(Configuration(), session=None)  # type: ignore[arg-type]
    assert isinstance(ours.rest_client, _RestClient)
    assert issubclass(_RestClient, RESTClientObject)
    assert (set(vars(ours)), set(vars(ours.rest_client))) == asyncio.run(theirs())
