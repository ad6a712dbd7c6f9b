"""Whatever a gateway answers, `models` and `usage` say a sentence."""

from __future__ import annotations

import argparse
import contextlib
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwctl.commands import models
from llmgwctl.errors import ClientError
from llmgwctl.gateway.client import Answer, Gateway
from llmgwctl.show import usage
from support.json_values import nested, spoilt

JSON = nested(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    st.text(max_size=6),
)
MODELS = {
    "data": [
        {
            "id": "a",
            "model_name": "a",
            "model_info": {"max_input_tokens": 1, "input_cost_per_token": 1e-6},
            "litellm_params": {"model": "b"},
        }
    ]
}
METRICS = {"spend": 1.0, "prompt_tokens": 2, "api_requests": 1}
DAY = {
    "date": "2026-01-01",
    "metrics": METRICS,
    "breakdown": {
        "models": {"m": {"metrics": METRICS}},
        "api_keys": {"k": {"metrics": METRICS, "metadata": {"key_alias": "x"}}},
    },
}
INFO = {
    "key": "k",
    "info": {
        "spend": 1,
        "max_budget": 2,
        "expires": "2026-01-01",
        "budget_reset_at": "2026-02-01",
        "litellm_budget_table": {"max_budget": 3},
    },
}


class Scripted(Gateway):
    body: Any = None

    def get(self, path: str, query: Any = None) -> Answer:
        return Answer(200, self.body)


def listed(body: Any, *flags: str) -> None:
    parser = argparse.ArgumentParser()
    models.add_arguments(parser)
    gateway = Scripted("http://localhost:4000")
    object.__setattr__(gateway, "body", body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "gateway", lambda _: gateway)
        with contextlib.suppress(ClientError):
            models.run(parser.parse_args(list(flags)))


@given(spoilt(MODELS, JSON))
def test_no_list_of_models_ends_in_a_traceback(body: Any) -> None:
    for flags in ((), ("--json",), ("--long",), ("--long", "--json"), ("--check", "a")):
        listed(body, *flags)


@given(spoilt([DAY, DAY], JSON), spoilt(INFO, JSON), st.sampled_from(usage.GROUPINGS))
def test_no_record_of_usage_ends_in_a_traceback(days: Any, info: Any, grouping: str) -> None:
    budget = usage.budget_of(info if isinstance(info, dict) else {})
    since, until = date(2026, 1, 1), date(2026, 1, 7)

    found = usage.add_up(days if isinstance(days, list) else [], grouping, since, until, budget)

    usage.render(found, grouping)
    json.dumps(usage.as_json(found, grouping))


def test_escapes_in_a_models_name_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    listed({"data": [{"id": "a\x1b[31mb\u202e"}]})

    assert capsys.readouterr().out == "a\\x1b[31mb\\u202e\n"
