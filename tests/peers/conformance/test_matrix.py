"""kubectl and we come to the same end with the same kubeconfig, as the same identity."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peers.conformance.differences import DIFFERENCES
from peers.conformance.matrix import CASES
from peers.conformance.verdicts import by_kubectl, by_llmgw
from peers.conformance.world import document

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


def _parts(w: World, *keys: str, **changes: object) -> dict[str, Any]:
    """A kubeconfig without all but these keys; all of them where there are none."""
    whole = document(w.door(), {"token": w.token}) | changes
    return {key: value for key, value in whole.items() if not keys or key in keys}


_WRONG: list[Any] = [{"name": "c", "user": {"token": "wrong"}}]
# The files of a KUBECONFIG; None is one that is absent, text is a path of its own.
SEVERAL: Mapping[str, Callable[[World], list[dict[str, Any] | str | None]]] = {
    "in parts": lambda w: [
        _parts(w, "clusters", "current-context"),
        _parts(w, "users", "contexts"),
    ],
    "one is absent": lambda w: [None, _parts(w)],
    "all are absent": lambda w: [None, None],
    "an empty one": lambda w: ["", _parts(w), ""],
    "no file at all": lambda w: ["/dev/null", _parts(w)],
    "a folder": lambda w: [_parts(w), "/"],
    "the first user counts": lambda w: [_parts(w, "users", users=_WRONG), _parts(w)],
    "the second user does not": lambda w: [_parts(w), _parts(w, "users", users=_WRONG)],
    "an empty user counts, too": lambda w: [
        _parts(w, "users", users=[{"name": "c", "user": {}}]),
        _parts(w),
    ],
    "the first current context counts": lambda w: [
        _parts(w, "current-context", **{"current-context": "x"}),
        _parts(w),
    ],
    "of another version": lambda w: [_parts(w), {"apiVersion": "v2"}],
    "of a name twice": lambda w: [_parts(w), {"users": _WRONG * 2}],
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_files_are_merged_as_kubectl_merges_them(
    name: str, world: World, kubectl_program: Path, home: Path, tmp_path: Path
) -> None:
    paths = []
    for number, content in enumerate(SEVERAL[name](world)):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = str(folder / "config") if content is None else content
        paths.append(str(written(folder, path)) if isinstance(path, dict) else path)
    kubeconfig = ":".join(paths)

    theirs = by_kubectl(kubectl_program, kubeconfig, home, world)
    ours = by_llmgw(kubeconfig, world)

    assert ours.is_reached or ours.said
    assert ours.agrees_with(theirs), f"\n{theirs}\n{ours}"


def test_every_difference_is_of_a_case() -> None:
    assert set(DIFFERENCES) <= set(CASES)
