"""Runs every benchmark once and writes the page of figures.

    python tests/bench/all.py [--only idle,kept] [--print]

The page is tests/bench/README.md: the machine and the versions, a table for each benchmark, and
first of all where a peer is better. Everything takes about an hour; leave the machine alone
meanwhile: its load before each benchmark is part of the page. With --only or --print the page is
printed and the file stays as it is.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from report import Figures, chosen  # noqa: E402 - by the path above

from llmgwctl.rules.runtime import runtime  # noqa: E402
from peers.kubectl import find_kubectl  # noqa: E402

PAGE = HERE / "README.md"
BENCHES = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
# Of all other figures less is better.
_MORE_IS_BETTER = ("mb_per_s", "answered", "complete")
_PEERS = ("kubectl", "kr8s", "portforward", "direct")
# How much was done, not how well.
_NEITHER = ("requests", "rounds", "streams")
# Less than this is the noise of a run.
_NOTICED = 1.05


@dataclass(frozen=True, slots=True)
class Ran:
    """What one benchmark gave."""

    name: str
    about: str
    load: float
    took_s: float
    tables: Mapping[str, Mapping[str, Figures]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="benchmarks, separated by commas")
    parser.add_argument("--print", action="store_true", help="print the page, write nothing")
    options = parser.parse_args()
    names = chosen(parser, options.only, BENCHES)
    ran = [run(name, path) for name, path in BENCHES.items() if name in names]
    text = page(ran)
    if options.print or options.only:
        print(text)
    else:
        PAGE.write_text(text)
    return 0


def run(name: str, path: Path) -> Ran:
    source = path.read_text()
    about = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    load, began = os.getloadavg()[0], time.monotonic()
    print(f"{name} …", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, path, "--json"], stdout=subprocess.PIPE, text=True, check=True
    )
    took_s = time.monotonic() - began
    return Ran(name, about, load, took_s, dict(tables_of(json.loads(done.stdout), "")))


def tables_of(found: Any, title: str) -> Iterator[tuple[str, Mapping[str, Figures]]]:
    """Give each table in what a benchmark printed: contenders, or figures of one's own."""
    if _is_figures(found):
        yield title, {"llmgw": found}
    elif all(map(_is_figures, found.values())):
        yield title, found
    else:
        for name, part in found.items():
            yield from tables_of(part, name)


def _is_figures(found: Any) -> bool:
    return all(isinstance(value, int | float) for value in found.values())


def page(ran: list[Ran]) -> str:
    behind = [line for each in ran for line in where_a_peer_is_better(each)]
    parts = [
        "# Figures",
        "Written by `python tests/bench/all.py`, in one run; do not edit. What each benchmark "
        "does is in its docstring. `ratio` is ours to kubectl's.",
        machine(),
        "## Where a peer is better",
        "\n".join(behind) or "Nowhere, in this run.",
        *(_section(each) for each in ran),
    ]
    return "\n\n".join(parts) + "\n"


def machine() -> str:
    found = runtime()
    kubectl = subprocess.run(
        [find_kubectl(), "version", "--client", "--output=json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": found["system"],
        "Python": found["python"],
        "llmgw": found["version"],
        "kubectl": json.loads(kubectl.stdout)["clientVersion"]["gitVersion"],
        "libraries": ", ".join(f"{name} {each}" for name, each in found["libraries"].items()),
    }
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {each} |" for name, each in rows.items())]
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def where_a_peer_is_better(ran: Ran) -> Iterator[str]:
    """Give a line for each figure of a peer that each of ours is behind."""
    for title, table in ran.tables.items():
        for peer in filter(_is_peer, table):
            for name in (each for each in table if not _is_peer(each)):
                ours, theirs = table[name], table[peer]
                for figure in (each for each in theirs if each in ours):
                    if _is_behind(figure, ours[figure], theirs[figure]):
                        values = f"{peer} {theirs[figure]:g}, {name} {ours[figure]:g}"
                        yield f"- {title or ran.name}, {figure}: {values}"


def _is_peer(contender: str) -> bool:
    return contender.startswith(_PEERS)


def _is_behind(figure: str, ours: float, theirs: float) -> bool:
    if figure in _NEITHER:
        return False
    if any(word in figure.lower() for word in _MORE_IS_BETTER):
        ours, theirs = theirs, ours
    return ours > theirs * _NOTICED


def _section(ran: Ran) -> str:
    parts = [f"## {ran.name}", f"{ran.about} Load before it {ran.load:.1f}; {ran.took_s:.0f} s."]
    for title, table in ran.tables.items():
        parts += [f"**{title}**"] if title else []
        parts.append(_markdown(table))
    return "\n\n".join(parts)


def _markdown(table: Mapping[str, Figures]) -> str:
    ours, peers = table.get("llmgw"), [each for each in table if each.startswith("kubectl")]
    peer = table[peers[0]] if ours and peers else {}
    heads = ["", *table, *(["ratio"] if peer else [])]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for figure in dict.fromkeys(name for figures in table.values() for name in figures):
        cells = [f"{each[figure]:g}" if figure in each else "" for each in table.values()]
        if peer and ours:
            has_ratio = bool(peer.get(figure)) and figure in ours
            cells.append(f"{ours[figure] / peer[figure]:.2f}" if has_ratio else "")
        lines.append(f"| {' | '.join([figure, *cells])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
