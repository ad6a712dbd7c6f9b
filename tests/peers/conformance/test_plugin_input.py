"""A login plugin is told the same by kubectl and by us."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from peers.conformance.cases import kept, plugin
from peers.conformance.test_matrix import written
from peers.conformance.verdicts import by_kubectl, by_llmgw
from peers.conformance.world import document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from peers.conformance.world import World

CLUSTERS: Mapping[str, Callable[[World, Path], dict[str, Any]]] = {
    "authority as data": lambda w, f: w.door(),
    "authority as a file": lambda w, f: w.door(
        certificate_authority_data=None,
        certificate_authority=kept(f, "ca.crt", w.authorities["main"]),
    ),
    "authority beside the kubeconfig": lambda w, f: (
        kept(f, "ca.crt", w.authorities["main"])
        and w.door(certificate_authority_data=None, certificate_authority="ca.crt")
    ),
    "extensions": lambda w, f: w.door(
        extensions=[
            {"name": "client.authentication.k8s.io/exec", "extension": None},
            {"name": "another", "extension": {"a": 1}},
        ]
    ),
    "insecure": lambda w, f: w.door(certificate_authority_data=None, insecure_skip_tls_verify=True),
    "not insecure": lambda w, f: w.door(insecure_skip_tls_verify=False),
    "all": lambda w, f: w.door(
        tls_server_name="kubernetes.llmgw-demo.test",
        proxy_url=w.proxies["http"],
        disable_compression=True,
        extensions=[{"name": "client.authentication.k8s.io/exec", "extension": {"a": ["b", 1]}}],
    ),
}


@pytest.mark.parametrize("provides", [True, False])
@pytest.mark.parametrize("name", CLUSTERS)
def test_a_plugin_is_told_what_kubectl_tells_it(
    world: World, kubectl_program: Path, home: Path, tmp_path: Path, name: str, provides: bool
) -> None:
    entry = plugin(world, tmp_path, provideClusterInfo=provides, env=[{"name": "EMPTY"}])
    program, told = tmp_path / "plugin", tmp_path / "told.json"
    answer = program.read_text().partition("\n")[2]
    program.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        f"with open({str(told)!r}, 'w') as file:\n"
        "    json.dump([os.environ['KUBERNETES_EXEC_INFO'], os.environ['EMPTY']], file)\n" + answer
    )
    path = written(tmp_path, document(CLUSTERS[name](world, tmp_path), {"exec": entry}))

    assert by_kubectl(kubectl_program, path, home, world).is_reached
    theirs, their_empty = json.loads(told.read_text())
    told.unlink()
    assert by_llmgw(path, world).is_reached
    ours, our_empty = json.loads(told.read_text())

    assert json.loads(ours) == json.loads(theirs)
    assert our_empty == their_empty == ""
