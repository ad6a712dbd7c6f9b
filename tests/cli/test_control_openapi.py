"""The OpenAPI document is true: schemathesis asks a live daemon whatever the document allows."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import requests.adapters
import sample
import schemathesis
import urllib3
from hypothesis import HealthCheck, settings
from plain_daemon import Served, serve
from schemathesis.checks import not_a_server_error
from urllib3.connection import HTTPConnection

from llmgwctl.transport import request
from llmgwctl.wire import EventKind
from llmgwctl.wire import Path as Route
from llmgwd.control.openapi import document
from llmgwd.control.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("llmgwd")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


class UnixPool(urllib3.HTTPConnectionPool):
    def __init__(self, path: str) -> None:
        super().__init__("llmgwd")
        self._path = path

    def _new_conn(self) -> UnixConnection:
        return UnixConnection(self._path)


class UnixAdapter(requests.adapters.HTTPAdapter):
    """Has requests talk over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> UnixPool:
        return UnixPool(self._path)


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
    found = requests.Session()
    found.mount("http://", UnixAdapter(live.path))
    return found


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Have a watch end, and half of the names be those of forwards that are there."""
    if case.path == Route.EVENTS and case.query.get("follow") in (None, True, "true"):
        case.query["follow"] = "false"
    name = case.path_parameters.get("name", "") if case.path_parameters else ""
    if name and len(name) % 2 == 0:
        case.path_parameters["name"] = "litellm"


schema = schemathesis.openapi.from_dict(document(TABLE))


@schema.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_the_document_allows_is_answered_as_it_says(
    case: schemathesis.Case, session: requests.Session
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
