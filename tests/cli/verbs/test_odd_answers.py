"""Answers of a daemon that are JSON and not the contract's: a sentence, whatever verb asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgwctl import payloads
from llmgwctl.__main__ import main
from llmgwctl.api import client
from llmgwctl.api.contract import fault_of
from llmgwctl.wire import Exit
from support.client import sample
from support.client.scripted_daemon import scripted
from support.json_values import nested, spoilt

if TYPE_CHECKING:
    from pathlib import Path

ODD: list[Any] = [
    {"api": 1},
    {"api": 1, "forwards": None},
    {**sample.READY, "forwards": [None]},
    {**sample.READY, "forwards": [{"name": "a"}]},
    {**sample.READY, "forwards": [{**sample.forward(), "conditions": [7]}]},
    {**sample.READY, "forwards": [{**sample.forward(), "counters": []}]},
    {**sample.READY, "config": "x"},
]
VERBS = ("status litellm", "status --short", "wait --timeout 0.1s", "env", "open --print", "doctor")


@pytest.mark.parametrize("status", ODD)
def test_no_status_ends_in_a_traceback(
    status: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted(folder, status) as daemon:
        monkeypatch.setenv("LLMGW_SOCKET", daemon.path)

        ends = {words: main(words.split()) for words in VERBS}

    assert ends["status litellm"] in (Exit.UNREACHABLE, Exit.USAGE), capsys.readouterr()


JSON = nested(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.text(max_size=3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoilt(dict(sample.SEVERAL), JSON))
def test_whatever_a_status_holds_it_is_drawn_or_refused(
    monkeypatch: pytest.MonkeyPatch, status: Any
) -> None:
    def get(asked: client.Client, path: str, query: Any = None) -> Any:
        client.answers[:] = [(path, status)]
        return status

    monkeypatch.setattr(client.Client, "get", get)
    for words in (["status"], ["status", "litellm"], ["status", "--short"]):
        main(words)


def test_the_contract_itself_has_no_fault() -> None:
    for status in (sample.READY, sample.SEVERAL, sample.REJECTED_CONFIG):
        assert fault_of(status, payloads.Status) == ""
    assert fault_of({"seq": 1}, payloads.Event) == ""
    assert fault_of({"seq": True}, payloads.Event) == "it.seq is no int"
    assert fault_of({"models": [1], "age_s": 2}, payloads.ModelsStatus) == "it.models[0] is no str"
