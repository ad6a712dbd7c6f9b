"""The OpenAPI document is true: schemathesis asks a live daemon whatever the document allows."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from llmgwctl.api.transport import request
from llmgwctl.wire import ApiPath as Route
from llmgwctl.wire import EventKind
from llmgwd.control.endpoints.table import TABLE
from llmgwd.control.openapi import document
from support.client import sample
from support.client.plain_daemon import Served, serve
from support.client.unix_requests import session_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests


@pytest.fixture(scope="module")
def live() -> Iterator[Served]:
    with (
        tempfile.TemporaryDirectory(prefix="lg-") as folder,
        serve(Path(folder), sample.SEVERAL) as served,
    ):
        served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, message="Woke up."))
        yield served


@pytest.fixture(scope="module")
def session(live: Served) -> requests.Session:
    return session_over(live.path)


schema = schemathesis.openapi.from_dict(document(TABLE))


@schema.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_the_document_allows_is_answered_as_it_says(
    case: schemathesis.CheckContext, session: requests.Session
) -> None:
    # "Not healthy" is 503 by contract, and no failure of the server's.
    excluded = [not_a_server_error] if case.path == Route.HEALTH else []

    response = case.call_and_validate(
        session=session, base_url="http://llmgwd", timeout=20, excluded_checks=excluded
    )

    assert response.status_code != 500


def test_the_served_document_names_every_route_and_no_other(live: Served) -> None:
    served = json.loads(request(live.path, "GET", Route.OPENAPI).body)

    assert served == document(TABLE)
    described = {
        (method.upper(), path) for path, each in served["paths"].items() for method in each
    }
    assert described == {(endpoint.method, endpoint.path) for endpoint in TABLE}
    contract = {value for name, value in vars(Route).items() if name.isupper()}
    assert {path for _, path in described} == contract
