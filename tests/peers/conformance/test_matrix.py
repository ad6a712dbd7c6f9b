"""kubectl and we come to the same end with the same kubeconfig, as the same identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peers.conformance.differences import DIFFERENCES
from peers.conformance.matrix import CASES
from peers.conformance.verdicts import by_kubectl, by_llmgw

if TYPE_CHECKING:
    from peers.conformance.world import World


def written(folder: Path, content: Mapping[str, Any] | str | bytes) -> Path:
    path = folder / "config"
    if isinstance(content, Mapping):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", CASES)
def test_a_kubeconfig_leads_where_it_leads_kubectl(
    name: str, world: World, kubectl_program: Path, home: Path, tmp_path: Path
) -> None:
    path = written(tmp_path, CASES[name](world, tmp_path))

    theirs = by_kubectl(kubectl_program, path, home, world)
    ours = by_llmgw(path, world)

    assert ours.is_reached or ours.said
    assert ours.agrees_with(theirs) != (name in DIFFERENCES), f"\n{theirs}\n{ours}"


def test_every_difference_is_of_a_case() -> None:
    assert set(DIFFERENCES) <= set(CASES)
