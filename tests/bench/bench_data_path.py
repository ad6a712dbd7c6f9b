"""Our data path and its peers', in turn in one run, against a simulated cluster of its own process.

    python tests/bench/bench_data_path.py [--only fresh,upload] [--rounds 3] [--json]

Prints each figure of each contender (the median over the rounds) and ours as a ratio to kubectl's.
kubectl is found as the test suite finds it; kr8s and portforward where they are installed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from data_path.loads import LOADS  # noqa: E402 - found by the path above
from data_path.plan import PLAN, Part  # noqa: E402
from report import Figures, chosen, show  # noqa: E402

from llmgwsim.remote import RemoteCluster, cluster_process  # noqa: E402

Result = dict[str, Figures]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="loads, separated by commas")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    loads = chosen(parser, options.only, LOADS)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    results = {}
    for part in PLAN:
        if part.load in loads:
            results[part.title] = run(part, options.rounds)
            if not options.json:
                show(part.title, results[part.title], "llmgw", "kubectl")
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


def run(part: Part, rounds: int) -> Result:
    """Take the contenders in turn, as often as asked; give the median of each figure."""
    seen: dict[str, list[Figures]] = {}
    for _ in range(rounds):
        for name, start in part.who:
            if name in ("kr8s", "portforward") and importlib.util.find_spec(name) is None:
                continue
            with tempfile.TemporaryDirectory() as folder, cluster(part) as one:
                with start(one, Path(folder)) as contender:
                    figures = asyncio.run(LOADS[part.load](contender))  # type: ignore[arg-type]
                seen.setdefault(name, []).append(figures)
    return {name: _medians(figures) for name, figures in seen.items()}


@contextlib.contextmanager
def cluster(part: Part) -> Iterator[RemoteCluster]:
    arguments = ["--rtt", f"{part.rtt_ms}ms"] if part.rtt_ms else []
    with cluster_process(arguments) as one:
        if part.only_websocket:
            one.faults.refuse_upgrades(spdy=502)
        yield one


def _medians(rounds: list[Figures]) -> Figures:
    return {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}


if __name__ == "__main__":
    sys.exit(main())
