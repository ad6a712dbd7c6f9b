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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@st.composite
def spoilt(draw: st.DrawFn, good: Any) -> Any:
    """The good answer, one place of which holds something else."""
    if not isinstance(good, dict | list) or not good or draw(st.integers(0, 4)) == 0:
        return draw(JSON)
    copy = good.copy()
    key = draw(st.sampled_from(list(good) if isinstance(good, dict) else range(len(good))))
    copy[key] = draw(spoilt(good[key]))
    return copy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoilt(dict(sample.SEVERAL)))
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
