"""What JSON can hold, and objects that are good but for one place, as Hypothesis strategies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from hypothesis import strategies as st

_Place = tuple[Any, ...]


def nested(
    leaf: st.SearchStrategy[Any], keys: st.SearchStrategy[str], depth: int = 3
) -> st.SearchStrategy[Any]:
    """Give leaves, and lists and objects of them in each other.

    Not by `st.recursive`: that takes back what it has drawn when it has drawn too many leaves. It
    needed twice as long, for the same depth, and a quarter of its values were equal.
    """
    value = leaf
    for _ in range(depth):
        # Of two sizes, so that they weigh as much as the many kinds of a leaf.
        lists = [st.lists(value, max_size=size) for size in (1, 3)]
        objects = [st.dictionaries(keys, value, max_size=size) for size in (1, 3)]
        value = st.one_of(leaf, *lists, *objects)
    return value


def spoilt(good: Any, other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give the good object, one place of which holds something else.

    Each depth is as likely as any other: else the few places near the top, which take most with
    them, would seldom be met. All places are listed once, and one is two choices of an example,
    however deep it is: to walk there anew took longer than what is tested.
    """
    places = st.one_of([st.sampled_from(level) for level in _levels(good)])
    return st.builds(partial(_replaced, good), places, other)


def _levels(good: Any) -> Iterator[list[_Place]]:
    level: list[tuple[_Place, Any]] = [((), good)]
    while level:
        yield [place for place, _ in level]
        level = [((*place, key), held) for place, value in level for key, held in _inside(value)]


def _inside(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _replaced(good: Any, place: _Place, other: Any) -> Any:
    if not place:
        return other
    copy = good.copy()
    copy[place[0]] = _replaced(good[place[0]], place[1:], other)
    return copy
