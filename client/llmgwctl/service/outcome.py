"""What became of the forwards after a start: told when they have a state, or soon enough."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from llmgwctl.api.client import Client
from llmgwctl.errors import ClientError
from llmgwctl.wire import ApiPath, Severity, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmgwctl.wire import ForwardStatus, Status

# A login by exec plugin takes seconds; a person at a prompt waits no longer than this.
_PATIENCE_S: Final = 15.0


def settled(socket: str | None, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """Wait until no forward is starting any more, and give a line for each.

    Raises:
        ClientError: the daemon does not answer, though its manager says that it runs.
    """
    client = Client(socket)
    deadline = clock() + _PATIENCE_S
    status = client.status()
    while _is_starting(status) and (left_s := deadline - clock()) > 0:
        _await_event(client, left_s)
        status = client.status()
    for forward in status["forwards"]:
        yield from lines(forward)


def lines(forward: ForwardStatus) -> Iterator[str]:
    """Say the state and where it is served; where it is in trouble, the cause and the remedy."""
    served = ", ".join(forward["listen"]) or "not bound"
    yield f"{forward['name']}: {forward['state']} ({served})"
    if forward["state"] in (State.READY, State.STOPPED):
        return
    for condition in forward["conditions"]:
        if condition["hidden_by"] is None and condition["severity"] != Severity.INFO:
            yield f"  {condition['summary']}"
            if condition["remedy"]:
                yield f"  {condition['remedy']}"


def _is_starting(status: Status) -> bool:
    return any(forward["state"] == State.STARTING for forward in status["forwards"])


def _await_event(client: Client, within_s: float) -> None:
    """Return at the first change of state, or after the time."""
    try:
        for event in client.lines(ApiPath.EVENTS, timeout_s=within_s):
            if "status" in event and not _is_starting(event["status"]):
                return
            if event["kind"] == "state-changed":
                return
    except (TimeoutError, ClientError):
        return
