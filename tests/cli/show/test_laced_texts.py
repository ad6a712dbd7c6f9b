"""Texts that others wrote, laced with what controls a terminal, through each view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmgwctl import __main__ as program
from llmgwctl.doctor import report
from llmgwctl.errors import ClientError
from llmgwctl.show.events import event_lines
from llmgwctl.show.live_frame import Flow, frame
from llmgwctl.show.logs import Painter, request_of
from llmgwctl.show.terminal import Terminal
from support.client import sample

if TYPE_CHECKING:
    import pytest

LACED = "a\x1b[2J\x9b31m\x7f\u202eb"
PLAIN = Terminal(200)


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_a_check_of_the_doctor_controls_no_terminal() -> None:
    check: Any = {
        "check": LACED,
        "forward": None,
        "state": "failed",
        "found": LACED,
        "cause": LACED,
        "remedy": f"{LACED}\n{LACED}",
        "skipped_by": None,
        "took_s": 1.0,
    }

    assert is_harmless(report.line(check, PLAIN))
    assert is_harmless(report.line({**check, "remedy": LACED}, PLAIN))


def test_a_line_of_a_log_controls_no_terminal() -> None:
    entry: Any = {"pod": LACED, "container": LACED, "time": "", "line": LACED, "note": None}
    asked = request_of('INFO:     1.2.3.4:5 - "GET /\x1b[2J HTTP/1.1" 200 OK')

    assert is_harmless(Painter(PLAIN).paint(entry))
    assert is_harmless(Painter(PLAIN).paint({**entry, "note": LACED}))
    assert asked is not None
    assert is_harmless(Painter(PLAIN).paint_request(entry, asked))


def test_an_event_controls_no_terminal() -> None:
    event: Any = {
        "seq": 1,
        "time": "2026-01-01T00:00:00Z",
        "kind": "route-lost",
        "forward": LACED,
        "message": LACED,
        "remedy": LACED,
    }

    assert all(is_harmless(line) for line in event_lines(event, PLAIN, 0.0))


def test_the_live_view_controls_no_terminal() -> None:
    forward = sample.forward(LACED, LACED, conditions=[sample.condition("a", LACED, LACED, LACED)])
    status = sample.status(forward, state=LACED)
    event: Any = {"seq": 1, "time": sample.NOW_STAMP, "kind": LACED, "message": LACED}

    lines = frame(status, {LACED: Flow()}, (event,), PLAIN, 50, sample.NOW)

    assert all(is_harmless(line) for line in lines)


def test_an_error_controls_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: list[str]) -> int:
        raise ClientError("code", LACED, f"{LACED}\n{LACED}")

    monkeypatch.setattr(program, "_run", fail)
    program.main([])

    assert is_harmless(capsys.readouterr().err)
