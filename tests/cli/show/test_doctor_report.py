"""llmgwctl doctor, its pure part: lines, verdict, exit status."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest

from llmgwctl.doctor.progress import Progress
from llmgwctl.doctor.report import exit_status, line, summary
from llmgwctl.show.terminal import Terminal
from llmgwctl.wire import CheckState, CheckStatus
from support.client import golden


def check(name: str, state: CheckState = CheckState.OK, **fields: Any) -> CheckStatus:
    empty = CheckStatus(
        check=name,
        forward="litellm",
        state=state,
        found="",
        cause="",
        remedy="",
        skipped_by=None,
        took_s=None,
    )
    return {**empty, **fields}  # type: ignore[typeddict-item]


CHECKS = [
    check("kubeconfig", found="/home/me/.kube/config"),
    check("exec-plugin", CheckState.INFO, found="none: the context uses a token"),
    check("api-server", found="https://10.0.0.1:6443 reached, TLS 1.3", took_s=0.0124),
    check(
        "login",
        CheckState.NEEDS_PERSON,
        found="the API server answers 401",
        cause="the token has expired",
        remedy="aws sso login --profile homelab",
        took_s=1.25,
    ),
    check("permissions", CheckState.SKIPPED, skipped_by="login"),
    check(
        "pods",
        CheckState.FAILED,
        found="1 of 2 Ready",
        cause="litellm-b: CrashLoopBackOff, 7 restarts, last ended OOMKilled",
        remedy="kubectl apply -f - <<'EOF'\nkind: Role\nEOF\n",
    ),
    check("shell", CheckState.WARNING, found="ANTHROPIC_API_KEY is set", remedy="unset X"),
]


@pytest.mark.parametrize("style", ["plain", "ascii", "colour"])
def test_the_doctors_lines_match_their_golden_file(style: str) -> None:
    chosen = Terminal(is_coloured=style == "colour", is_ascii=style == "ascii")

    text = "\n".join(line(each, chosen) for each in CHECKS) + f"\n{summary(CHECKS)}\n"

    assert text == (golden.FOLDER / f"doctor-{style}.txt").read_text()


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([], 0),
        ([CheckState.OK, CheckState.WARNING, CheckState.INFO], 0),
        ([CheckState.OK, CheckState.FAILED, CheckState.SKIPPED], 1),
        ([CheckState.FAILED, CheckState.NEEDS_PERSON], 4),
    ],
)
def test_the_exit_status_is_of_the_worst_line(states: list[CheckState], status: int) -> None:
    assert exit_status(check("x", state) for state in states) == status


def test_a_check_of_a_newer_daemon_is_shown_all_the_same() -> None:
    text = line({**check("novel"), "state": "curious", "found": "hm"}, Terminal())

    assert text == "? novel        hm"


def test_a_terminal_is_told_that_the_doctor_still_looks_until_a_line_comes() -> None:
    stream = io.StringIO()

    with Progress(stream, after_s=0.01) as progress:
        deadline = time.monotonic() + 10
        while "still checking, 0 s" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.005)
        progress.clear()
        cleared = stream.getvalue()

    assert "still checking, 0 s" in cleared
    assert cleared.endswith("\r\x1b[K")
    with Progress(None) as silent:
        silent.clear()
