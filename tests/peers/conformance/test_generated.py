"""Generated kubeconfigs: ours against the model of kubectl, and the model against kubectl."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, given, seed, settings

from peers.conformance.generated import Pick, build, picks, predict
from peers.conformance.test_matrix import written
from peers.conformance.verdicts import Verdict, by_kubectl, by_llmgw

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers.conformance.world import World

SEED: Final = int(os.environ.get("LLMGW_CONFORMANCE_SEED") or random.randrange(1 << 32))
OURS, THEIRS, AT_LEAST = 800, 150, 500
_MANY: Final = settings(
    max_examples=OURS,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
_SAMPLE: Final = settings(_MANY, max_examples=THEIRS)


def judged(pick: Pick, world: World, judge: Callable[[Path], Verdict]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        verdict = judge(written(folder, build(pick, world, folder)))
    listed_as = verdict.seen if verdict.is_reached else None
    assert listed_as == predict(pick), f"LLMGW_CONFORMANCE_SEED={SEED}: {pick}: {verdict}"
    assert verdict.is_reached or verdict.said


def test_we_end_where_the_model_ends(world: World) -> None:
    seen: set[Pick] = set()

    @seed(SEED)
    @_MANY
    @given(pick=picks())
    def judge(pick: Pick) -> None:
        if pick not in seen:
            seen.add(pick)
            judged(pick, world, lambda path: by_llmgw(path, world))

    judge()

    print(f"LLMGW_CONFORMANCE_SEED={SEED}: {len(seen)} kubeconfigs")
    assert len(seen) >= AT_LEAST


@seed(SEED)
@_SAMPLE
@given(pick=picks())
def test_kubectl_ends_where_the_model_ends(
    world: World, kubectl_program: Path, home: Path, pick: Pick
) -> None:
    judged(pick, world, lambda path: by_kubectl(kubectl_program, path, home, world))
