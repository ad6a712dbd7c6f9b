"""What a forward costs that no one uses: memory, processor, wake-ups; and how soon it is there.

    python tests/bench/bench_idle.py [--seconds 60] [--settle 20] [--only llmgw,kubectl] [--json]

One forward to a simulated cluster with two pods, beside `kubectl port-forward`, measured in the
same seconds; then our ten forwards to one cluster. Wake-ups are the voluntary context switches of
all threads (`/proc/PID/task/*/status`), processor time is what the scheduler counted. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "bench")]

from data_path.contenders import Contender, kubectl, llmgw  # noqa: E402 - by the path above
from report import Figures, chosen, show  # noqa: E402

from llmgwsim.remote import cluster_process  # noqa: E402
from support.ports import free_port  # noqa: E402


def _more_forwards(count: int) -> str:
    return "".join(
        f'[[forward]]\nname = "more-{index}"\nlisten = "127.0.0.1:{free_port()}"\n'
        for index in range(count)
    )


STARTS = {
    "llmgw": llmgw(),
    "kubectl": kubectl(),
    "llmgw, ten": llmgw("llmgw, ten", _more_forwards(9)),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--settle", type=float, default=20.0, help="after the start")
    parser.add_argument("--only", default="", metavar="A,B", help="these contenders only")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = chosen(parser, options.only, [each for each in STARTS if "," not in each])
    result = measured(names, options.settle, options.seconds)
    if "llmgw" in names:
        result |= measured({"llmgw, ten"}, options.settle, options.seconds)
    if options.json:
        print(json.dumps(result))
    else:
        show(f"idle for {options.seconds:g} s", result, next(iter(result)), "kubectl")
    return 0


def measured(names: set[str], settle_s: float, for_s: float) -> dict[str, Figures]:
    """Start each alone, so that none starts in another's way; then watch all together."""
    with contextlib.ExitStack() as running:
        cluster = running.enter_context(cluster_process(("--pods", "2")))
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="lg-")))
        contenders = [
            running.enter_context(start(cluster, folder))
            for name, start in STARTS.items()
            if name in names
        ]
        time.sleep(settle_s)
        before = [_used(each) for each in contenders]
        time.sleep(for_s)
        after = [_used(each) for each in contenders]
        return {
            each.name: _figures(each, before_it, after_it, for_s)
            for each, before_it, after_it in zip(contenders, before, after, strict=True)
        }


def _used(contender: Contender) -> tuple[float, int]:
    return contender.processor_s(), contender.voluntary_switches()


def _figures(
    contender: Contender, before: tuple[float, int], after: tuple[float, int], for_s: float
) -> Figures:
    return {
        "resident memory, MiB": round(contender.resident_mib(), 1),
        "processor, % of a core": round((after[0] - before[0]) / for_s * 100, 3),
        "wake-ups a second": round((after[1] - before[1]) / for_s, 2),
        "start to port bound, ms": round(contender.bound_s * 1000),
        "start to first answer, s": round(contender.answered_s, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
