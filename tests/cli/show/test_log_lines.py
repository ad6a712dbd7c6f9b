"""llmgwctl logs, its pure part: whose line it is, and which lines are wanted."""

from __future__ import annotations

import re

import pytest

from llmgwctl.show.logs import Painter, Request, is_wanted, request_of
from llmgwctl.show.terminal import Terminal
from llmgwctl.wire import LogLine

ACCESS = 'INFO:     10.244.0.9:51234 - "POST /v1/messages?beta=true HTTP/1.1" 529 '


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    import time

    time.tzset()


def entry(line: str, pod: str = "litellm-a", note: str | None = None) -> LogLine:
    time = "2026-11-23T10:11:12.123456789Z"
    return LogLine(pod=pod, container="", time=time, line=line, note=note)


def test_a_line_says_whose_it_is_and_when() -> None:
    assert Painter(Terminal()).paint(entry("hello")) == "litellm-a 10:11:12 hello"


def test_a_pod_with_several_containers_names_the_one() -> None:
    line: LogLine = {**entry("hello"), "container": "sidecar"}

    assert Painter(Terminal()).paint(line) == "litellm-a/sidecar 10:11:12 hello"


def test_a_pod_keeps_its_colour_and_another_gets_another() -> None:
    painter = Painter(Terminal(is_coloured=True))

    colours = [
        re.match(r"\x1b\[(\d+)m", painter.paint(entry("x", pod)))[1]  # type: ignore[index]
        for pod in ("a", "b", "a", "c")
    ]

    assert colours[0] == colours[2]
    assert len(set(colours)) == 3


def test_what_happens_to_a_pod_is_marked() -> None:
    assert Painter(Terminal()).paint(entry("", note="ended")) == "litellm-a -- ended"


def test_an_access_line_becomes_a_request_even_with_an_empty_reason() -> None:
    assert request_of(ACCESS) == Request("10.244.0.9:51234", "POST", "/v1/messages?beta=true", 529)


def test_a_request_is_shown_by_status_method_and_path() -> None:
    request = request_of(ACCESS)
    assert request is not None

    text = Painter(Terminal()).paint_request(entry(ACCESS), request)

    assert text == "litellm-a 10:11:12 529 POST /v1/messages?beta=true"


@pytest.mark.parametrize(
    "line",
    ['INFO:  10.0.0.1:1 - "GET /health/liveliness HTTP/1.1" 200 OK', "LiteLLM: proxy started", ""],
)
def test_probes_and_prose_are_no_requests(line: str) -> None:
    assert request_of(line) is None


def test_grep_filters_lines_but_never_what_is_said_about_a_pod() -> None:
    pattern = re.compile("error")

    assert is_wanted(entry("an error"), pattern, requests_only=False)
    assert not is_wanted(entry("fine"), pattern, requests_only=False)
    assert is_wanted(entry("", note="joined"), pattern, requests_only=True)
    assert not is_wanted(entry("an error"), None, requests_only=True)


def test_a_time_that_is_none_is_not_guessed() -> None:
    assert Painter(Terminal()).paint({**entry("x"), "time": "?"}) == "litellm-a --:--:-- x"
