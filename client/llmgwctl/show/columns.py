"""Rows laid out in columns that fit the terminal: cells are cut first, then columns left out."""

from __future__ import annotations

from llmgwctl.show.terminal import cells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.show.terminal import Terminal

_GAP = 2


class Column:
    """`least` is how far its cells may be cut (None: not at all); of the columns that `goes`
    numbers, the one with the lowest number is left out first (None: never)."""

    def __init__(
        self,
        title: str,
        least: int | None = None,
        goes: int | None = None,
        is_number: bool = False,
    ) -> None:
        self.title = title
        self.least = least
        self.goes = goes
        self.is_number = is_number


class Layout:
    """Which columns are kept, and how wide: made once, so that lines that come later fit it."""

    def __init__(
        self, columns: Sequence[Column], rows: Sequence[Sequence[str]], terminal: Terminal
    ) -> None:
        self._columns = columns
        self._terminal = terminal
        self._kept, self._widths = _fit(columns, widths(columns, rows), terminal.width)

    def head(self) -> str:
        return self.line([column.title for column in self._columns])

    def line(self, row: Sequence[str]) -> str:
        shown = []
        for n, width in zip(self._kept, self._widths, strict=True):
            text = self._terminal.cut(row[n], width)
            space = " " * (width - cells(text))
            shown.append(space + text if self._columns[n].is_number else text + space)
        return (" " * _GAP).join(shown).rstrip()


def draw(columns: Sequence[Column], rows: Sequence[Sequence[str]], terminal: Terminal) -> list[str]:
    """Lay out the titles and the rows."""
    layout = Layout(columns, rows, terminal)
    return [layout.head(), *map(layout.line, rows)]


def widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(len(column.title), *(cells(row[n]) for row in rows)) for n, column in enumerate(columns)
    ]


def total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _fit(
    columns: Sequence[Column], wanted: Sequence[int], limit: int
) -> tuple[list[int], list[int]]:
    """Choose which columns stay, and how wide: the one with most to spare is cut first."""
    kept = list(range(len(columns)))
    while True:
        chosen = [wanted[n] for n in kept]
        while total(chosen) > limit:
            spare = [_spare(columns[n], width) for n, width in zip(kept, chosen, strict=True)]
            if max(spare) <= 0:
                break
            chosen[spare.index(max(spare))] -= 1
        droppable = [n for n in kept if columns[n].goes is not None]
        if total(chosen) <= limit or not droppable:
            return kept, chosen
        kept.remove(min(droppable, key=lambda n: columns[n].goes or 0))


def _spare(column: Column, width: int) -> int:
    return 0 if column.least is None else width - column.least
