"""requests, and so schemathesis, over a Unix socket; and what schemathesis must know of a watch."""

from __future__ import annotations

import socket
from typing import Any

import requests.adapters
import schemathesis
import urllib3
from urllib3.connection import HTTPConnection

from llmgwctl.wire import ApiPath as Route


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


def session_over(path: str) -> requests.Session:
    """Give a session in which llmgwd is the host behind a Unix socket."""
    session = requests.Session()
    session.mount("http://", UnixAdapter(path))
    return session


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Have a watch end, and half of the names be those of forwards that are there."""
    goes_on = {
        Route.EVENTS: (None, True, "true"),
        Route.LOGS: (True, "true"),
        Route.REQUESTS: (True, "true"),
    }
    if case.query.get("follow") in goes_on.get(case.path, ()):
        case.query["follow"] = "false"
    name = case.path_parameters.get("name", "") if case.path_parameters else ""
    if name and len(name) % 2 == 0:
        case.path_parameters["name"] = "litellm"
