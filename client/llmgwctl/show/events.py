"""Events as lines for people. Pure; the time is shown in the local time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.rules.events import WARNINGS
from llmgwctl.rules.printable import clean, clean_lines
from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.show.terminal import BOLD, DIM, Terminal, clock_of
from llmgwctl.wire import EventKind, Severity

if TYPE_CHECKING:
    from llmgwctl.wire import Event


def event_lines(event: Event, terminal: Terminal, now: float) -> list[str]:
    """Write the time, the forward and what happened; a remedy is on a line of its own."""
    moment = seconds_of(event["time"])
    clock = clock_of(moment, now) if moment is not None else "?"
    head = f"{terminal.paint(clock, DIM)} {_glyph(event, terminal)} "
    indent = " " * (len(clock) + 3)
    lines = terminal.wrap(_sentence(event), head, indent)
    for line in clean_lines(event.get("remedy", "")) if event.get("remedy") else []:
        lines.append(f"{indent}{terminal.sign('→')} {terminal.paint(line, BOLD)}")
    return lines


def _sentence(event: Event) -> str:
    """Give what happened, with the forward's name where the sentence itself lacks it."""
    text = clean(event.get("message") or event["kind"].replace("-", " "))
    name = clean(event.get("forward", ""))
    # A pod's name holds its forward's as well.
    return text if not name or text.startswith(f"{name} ") else f"{name}: {text}"


def _glyph(event: Event, terminal: Terminal) -> str:
    state = event.get("state")
    kind = event["kind"]
    if state and kind == EventKind.STATE_CHANGED:
        return terminal.paint_state(terminal.state_glyph(state), state)
    if kind in WARNINGS:
        return terminal.severity_glyph(Severity.WARNING)
    return terminal.severity_glyph(Severity.INFO)
