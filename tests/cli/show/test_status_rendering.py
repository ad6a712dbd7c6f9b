"""llmgwctl status as people see it: each view against its golden file, and what holds for all."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwctl.commands.status import exit_status
from llmgwctl.rules.printable import clean
from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.service.state import ServiceState, explain, of_launchd, of_systemd
from llmgwctl.show.forward import daemon_line, layers
from llmgwctl.show.status import short, table
from llmgwctl.show.terminal import Terminal, age, size, span
from llmgwctl.wire import Exit, Status
from support.client import golden, sample

VIEWS = {
    "ready": sample.READY,
    "degraded": sample.DEGRADED,
    "reconnecting": sample.RECONNECTING,
    "blocked": sample.BLOCKED,
    "forbidden": sample.FORBIDDEN,
    "holding": sample.HOLDING,
    "starting": sample.STARTING,
    "stopped": sample.STOPPED,
    "several": sample.SEVERAL,
    "long-names": sample.LONG_NAMES,
    "config-rejected": sample.REJECTED_CONFIG,
    "none": sample.NONE,
}
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def draw(status: Status, terminal: Terminal) -> str:
    return "\n".join(table(status, terminal, sample.NOW)) + "\n"


def draw_layers(status: Status, terminal: Terminal) -> str:
    lines = layers(status["forwards"][0], terminal, sample.NOW)
    return "\n".join([*lines, "", daemon_line(status, terminal, sample.NOW)]) + "\n"


@pytest.mark.parametrize("name", VIEWS)
def test_the_table(name: str) -> None:
    golden.check(f"status-{name}.txt", draw(VIEWS[name], Terminal(80)))


@pytest.mark.parametrize("name", ["several", "long-names", "holding"])
def test_the_table_in_a_narrow_terminal(name: str) -> None:
    golden.check(f"status-{name}-narrow.txt", draw(VIEWS[name], Terminal(44)))


@pytest.mark.parametrize("name", ["several", "ready"])
def test_the_table_in_a_wide_terminal(name: str) -> None:
    golden.check(f"status-{name}-wide.txt", draw(VIEWS[name], Terminal(140)))


def test_the_table_in_colour() -> None:
    golden.check("status-several-coloured.txt", draw(sample.SEVERAL, Terminal(80, True)))


def test_the_table_without_utf_8() -> None:
    drawn = draw(sample.SEVERAL, Terminal(80, is_ascii=True))

    golden.check("status-several-ascii.txt", drawn)
    assert drawn.isascii()


@pytest.mark.parametrize("name", [name for name in VIEWS if name not in ("several", "none")])
def test_one_forward_layer_by_layer(name: str) -> None:
    golden.check(f"layers-{name}.txt", draw_layers(VIEWS[name], Terminal(80)))


def test_one_line_for_each_view() -> None:
    lines = [f"{name:16}{short(each['forwards'], Terminal())}" for name, each in VIEWS.items()]

    golden.check("status-short.txt", "\n".join(lines) + "\n")


def test_the_daemon_not_running() -> None:
    failed = ServiceState(
        "systemd", True, True, has_failed=True, result="exit status 78", last_line="port = 70000"
    )
    cases = {
        "no service manager": ServiceState(),
        "not installed": ServiceState("systemd"),
        "installed, not enabled": ServiceState("systemd", True),
        "stopped": ServiceState("systemd", True, True),
        "starting": ServiceState("systemd", True, True, is_starting=True),
        "failed": failed,
        "launchd, not installed": ServiceState("launchd"),
        "launchd, not loaded": ServiceState("launchd", True),
        "launchd, failed": failed._replace(manager="launchd"),
    }
    lines = [f"{name}:\n  llmgwctl: {explain(facts).text()}" for name, facts in cases.items()]

    golden.check("not-running.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("name", VIEWS)
def test_no_row_is_wider_than_the_terminal(name: str, width: int) -> None:
    status = VIEWS[name]
    bare = {**status, "conditions": [], "config": {**status["config"], "error": None}}
    bare["forwards"] = [
        {**each, "conditions": [], "state": "ready", "routes": each["routes"][:1]}
        for each in status["forwards"]
    ]

    # Below what the glyph, the shortest name and the state take, the terminal's own wrap does it.
    rows = draw(bare, Terminal(max(width, 28))).splitlines()  # type: ignore[arg-type]
    assert all(len(row) <= max(width, 28) or row.startswith("  ·") for row in rows)


@pytest.mark.parametrize("name", VIEWS)
def test_colour_adds_nothing_but_colour(name: str) -> None:
    for width in (44, 80, 120):
        coloured = draw(VIEWS[name], Terminal(width, True))
        assert ESCAPES.sub("", coloured) == draw(VIEWS[name], Terminal(width))


@given(text=st.text())
def test_nothing_from_elsewhere_steers_the_terminal(text: str) -> None:
    status = sample.status(
        sample.forward(
            routes=[sample.route(pods=[sample.pod(text)], target=text, context=text)],
            gateway=sample.no_answer(healthy=True, version=text),
            conditions=[sample.condition("no-pods", "error", text, text)],
        )
    )

    for drawn in (draw(status, Terminal(60)), draw_layers(status, Terminal(60))):
        assert all(line.isprintable() for line in drawn.split("\n"))


def test_a_remedy_of_several_lines_stands_as_it_is_to_be_pasted() -> None:
    assert sample.RULE in draw(sample.FORBIDDEN, Terminal(40))


def test_what_only_follows_from_another_condition_is_not_shown() -> None:
    assert "the gateway is silent" not in draw(sample.RECONNECTING, Terminal(80))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ready", Exit.OK),
        ("degraded", Exit.OK),
        ("reconnecting", Exit.NOT_SO),
        ("starting", Exit.NOT_SO),
        ("stopped", Exit.NOT_SO),
        ("none", Exit.NOT_SO),
        ("blocked", Exit.NEEDS_PERSON),
        ("several", Exit.NEEDS_PERSON),
    ],
)
def test_the_exit_status_says_whether_a_person_must_act(name: str, expected: int) -> None:
    assert exit_status(VIEWS[name]["forwards"]) == expected


def test_a_state_and_a_severity_newer_than_this_client_are_shown_as_they_are() -> None:
    status = sample.status(
        sample.forward(
            state="meditating", conditions=[sample.condition("new", "grave", "Something new.")]
        )
    )

    assert "? litellm  meditating" in draw(status, Terminal(80))
    assert "? Something new." in draw(status, Terminal(80))


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2000-02-29T23:59:59.500Z", 951868799.5),
        ("2026-03-01T12:00:00.000+00:00", 1772366400.0),
        ("2026-03-01T14:00:00.123456789+02:00", 1772366400.123456789),
        ("2026-03-01T06:30:00-05:30", 1772366400.0),
        ("2100-03-01T00:00:00Z", 4107542400.0),
        ("2026-13-01T00:00:00Z", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_as_the_calendar_has_them(stamp: str | None, seconds: float | None) -> None:
    assert seconds_of(stamp) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172800, "2d")],
)
def test_spans_are_said_in_one_unit_of_which_there_are_two(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_an_age_is_never_negative_though_clocks_differ() -> None:
    assert age("2026-03-01T12:00:05.000Z", sample.NOW) == "0s"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9960, "10 kB"), (999_600, "1.0 MB")],
)
def test_sizes_have_two_digits(count: int, text: str) -> None:
    assert size(count) == text


def test_a_text_is_cleaned_of_escapes_and_line_ends() -> None:
    assert clean("a\x1b[31mred\nb\x07") == r"a\x1b[31mred b\x07"


SHOWN = "LoadState=loaded\nActiveState={}\nUnitFileState={}\nResult={}\nExecMainStatus={}\n"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("LoadState=not-found\nActiveState=inactive\n", ServiceState("systemd")),
        (SHOWN.format("inactive", "disabled", "success", "0"), ServiceState("systemd", True)),
        (SHOWN.format("inactive", "enabled", "success", "0"), ServiceState("systemd", True, True)),
        (
            SHOWN.format("failed", "enabled", "exit-code", "78"),
            ServiceState("systemd", True, True, True, False, "exit status 78", "its last words"),
        ),
        (
            SHOWN.format("activating", "enabled", "watchdog", "0"),
            ServiceState("systemd", True, True, True, False, "watchdog", "its last words"),
        ),
        (
            SHOWN.format("activating", "enabled", "success", "0"),
            ServiceState("systemd", True, True, is_starting=True),
        ),
    ],
)
def test_what_systemd_shows_is_read(shown: str, expected: ServiceState) -> None:
    assert of_systemd(shown, "its last words") == expected


@pytest.mark.parametrize(
    ("has_plist", "shown", "expected"),
    [
        (False, None, ServiceState("launchd")),
        (True, None, ServiceState("launchd", True)),
        (
            True,
            "\tstate = running\n\tpid = 71\n\tlast exit code = 0\n\t\tstate = active\n",
            ServiceState("launchd", True, True, is_running=True, pid=71),
        ),
        (
            True,
            "\tstate = not running\n\tlast exit code = 78: EX_CONFIG\n",
            ServiceState("launchd", True, True, True, False, "exit status 78", "bye"),
        ),
    ],
)
def test_what_launchctl_prints_is_read(has_plist: bool, shown: Any, expected: ServiceState) -> None:
    assert of_launchd(has_plist, shown, "bye") == expected
