"""One row of the control API as data: the router, the checks and the OpenAPI document use it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmgwd.errors import LlmgwError

if TYPE_CHECKING:
    from llmgwd.control.daemon import Daemon

JSON = "application/json"
JSON_LINES = "application/jsonl"
PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class ApiError(LlmgwError):
    """An answer other than success, with its HTTP status."""

    def __init__(self, status: int, code: str, message: str, remedy: str = "") -> None:
        super().__init__(code, message, remedy)
        self.status = status


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; `kind` is str, bool, int or float, `pattern` one that a str must match."""

    name: str
    kind: type
    summary: str
    is_required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the checks: every value has its parameter's kind."""

    names: Mapping[str, str]  # from the path
    query: Mapping[str, Any]  # only what was given


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: plain data that JSON can hold, or the bytes of another media type."""

    body: object
    status: int = 200


@dataclass(frozen=True, slots=True)
class Lines:
    """An answer that goes on: one object a line, until the iterator or the client ends.

    The server closes the iterator (`aclose`), however it ends; to the client's side it adds an
    empty line now and then, the sign of life.
    """

    objects: AsyncIterator[Any]


Answers = Callable[["Daemon", Call], Awaitable[Reply | Lines]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route: `answers` is awaited with the daemon and the checked request.

    `payload` is the type (of `wire`) of the answer, or of one line; `refusals` are the statuses
    above 400 it may answer with beside those that every route may; `also` are other statuses that
    carry the payload too.
    """

    method: str
    path: str
    summary: str
    payload: type
    answers: Answers
    parameters: tuple[Parameter, ...] = ()
    media: str = JSON
    refusals: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    time_limit_s: float = 30.0


EndpointTable = tuple[Endpoint, ...]


def read_query(parameters: tuple[Parameter, ...], given: Mapping[str, str]) -> dict[str, Any]:
    """Check and convert; an unknown parameter is a mistake, and is not ignored.

    Raises:
        ApiError: 400, naming the parameter, what was found and what is allowed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise _bad(f"unknown query parameter {name!r}", f"allowed here: {allowed}")
    for parameter in parameters:
        if parameter.is_required and parameter.name not in given:
            raise _bad(f"the query parameter {parameter.name!r} is missing", parameter.summary)
    return {name: _convert(known[name], text) for name, text in given.items()}


def _convert(parameter: Parameter, text: str) -> Any:
    if parameter.kind is bool:
        if text in ("true", "false"):
            return text == "true"
        raise _bad(f"{parameter.name}={text!r}", "allowed: true, false")
    if parameter.kind is str:
        if parameter.pattern is not None and not re.fullmatch(parameter.pattern, text):
            raise _bad(f"{parameter.name}={text!r}", parameter.summary)
        return text
    try:
        number = parameter.kind(text)
    except ValueError:
        raise _bad(f"{parameter.name}={text!r} is no number") from None
    low, high = parameter.minimum, parameter.maximum
    # Written so that NaN, which compares as false, fails.
    if not (low is None or number >= low) or not (high is None or number <= high):
        raise _bad(f"{parameter.name}={text} is out of range", f"allowed: {low} to {high}")
    return number


def _bad(message: str, remedy: str = "") -> ApiError:
    return ApiError(400, "bad-request", message, remedy)
