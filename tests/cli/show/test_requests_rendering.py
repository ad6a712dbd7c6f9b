"""Records of requests as a table and as a sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmgwctl.show.requests import RequestTable, Summary, has_failed
from llmgwctl.show.terminal import Terminal, cells
from support.client import golden, sample
from support.client.request_records import VARIOUS, record

if TYPE_CHECKING:
    from llmgwctl.wire import RequestRecord


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    import time

    time.tzset()


def drawn(records: list[RequestRecord], terminal: Terminal) -> str:
    table = RequestTable(terminal, sample.NOW, records)
    lines = [table.head(), *(table.line(each, sample.NOW) for each in records)]
    return "\n".join([*lines, "", added_up(records)]) + "\n"


def added_up(records: list[RequestRecord]) -> str:
    summary = Summary()
    for each in records:
        summary.add(each)
    return summary.text()


@pytest.mark.parametrize(
    ("name", "terminal"),
    [
        ("wide", Terminal(180)),
        ("usual", Terminal(100)),
        ("narrow", Terminal(60)),
        ("ascii", Terminal(140, is_ascii=True)),
        ("coloured", Terminal(140, is_coloured=True)),
    ],
)
def test_requests_are_drawn_to_fit_the_terminal(name: str, terminal: Terminal) -> None:
    text = drawn(VARIOUS, terminal)

    golden.check(f"requests-{name}.txt", text)
    if not terminal.is_coloured:
        table = text.partition("\n\n")[0]
        assert max(map(len, table.splitlines())) <= terminal.width
    assert "\x1b[31mevil" not in text
    assert "evil\x1b" not in text


def test_the_column_of_notes_is_left_out_where_nothing_is_to_note() -> None:
    assert "NOTE" not in drawn([record()], Terminal(200))


@pytest.mark.parametrize("width", [200, 80, 40])
def test_wide_letters_and_marks_leave_the_columns_in_line(width: int) -> None:
    paths = ["/v1", "/日本語" * 20, "/\N{GRINNING FACE}/x", "/a\u0301\u0301" * 9]
    lines = drawn([record(path=path) for path in paths], Terminal(width)).split("\n\n")[0]

    for line in lines.splitlines()[1:]:
        assert cells(line) <= width
        assert cells(line[: line.index(" 200")]) == lines.index("STATUS") - 1


def test_lines_that_come_one_by_one_keep_their_columns() -> None:
    table = RequestTable(Terminal(120), sample.NOW)
    short = table.line(record(path="/v1", model="m", program="p"), sample.NOW)
    long = table.line(record(path="/v1" * 40, model="m" * 60, program="p" * 60), sample.NOW)

    assert len(long) <= 120
    assert short.index("200") == long.index("200") == table.head().index("STATUS")


def test_a_failure_is_what_the_client_did_not_get() -> None:
    failed = [each["seq"] for each in VARIOUS if has_failed(each)]

    assert failed == [6, 7, 8]


def test_the_sum_names_a_latency_that_was_measured() -> None:
    records = [record(n, first_byte_s=n / 100) for n in range(1, 101)]

    assert added_up(records) == (
        "100 requests, 0 failed; first byte after 500 ms (p50), 950 ms (p95)"
    )
    assert added_up([record(first_byte_s=None)]) == "1 request, 0 failed"


def test_what_llmgw_itself_asks_is_marked_and_counts_as_nothing_of_the_users() -> None:
    own = record(2, path="/key/info", status=500, program="llmgwd")

    text = drawn([record(1), own], Terminal(200))

    assert not has_failed(own)
    assert "llmgw's own" in text.splitlines()[2]
    assert "1 request, 0 failed, 1 of llmgw's own beside it" in text
