"""What the benches share: choosing among what they can do, and the table that they print."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping

Figures = dict[str, float]


def chosen(parser: argparse.ArgumentParser, text: str, known: Collection[str]) -> set[str]:
    """The names in a list separated by commas; all that are known where it is empty."""
    names = {name for name in text.split(",") if name}
    if unknown := names - set(known):
        parser.error(f"no {', '.join(sorted(unknown))} here; there are {', '.join(known)}")
    return names or set(known)


def show(title: str, result: Mapping[str, Figures], ours: str, theirs: str) -> None:
    """Print each figure of each contender, and ours as a ratio to theirs."""
    base = result.get(theirs, {})
    width = max(len(name) for name in result[ours])
    column = max(13, *(len(name) + 3 for name in result))
    heads = "".join(f"{name:>{column}}" for name in result)
    print(f"\n{title}\n  {' ' * width}{heads}   ours / {theirs}'s")
    for name, figure in result[ours].items():
        known = [f"{figures[name]:g}" if name in figures else "" for figures in result.values()]
        cells = "".join(f"{each:>{column}}" for each in known)
        ratio = f"{figure / base[name]:10.3f}" if base.get(name) else ""
        print(f"  {name:<{width}}{cells}   {ratio}", flush=True)
