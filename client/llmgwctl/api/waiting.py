"""Waiting for a forward to serve: told by the daemon's events, never asked for again and again."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from llmgwctl.api.forward_choice import choose
from llmgwctl.errors import ClientError, NeedsPerson, Unreachable
from llmgwctl.wire import SERVING_STATES, EventKind, Severity, State

if TYPE_CHECKING:
    from llmgwctl.api.client import Client
    from llmgwctl.wire import ForwardStatus


def wait_until_serving(client: Client, name: str, timeout_s: float) -> ForwardStatus:
    """Wait until a forward serves, telling on stderr what it waits for.

    Raises:
        NeedsPerson, ClientError: it did not within the time, and why.
    """
    forward = choose(client.status(), name)
    if forward["state"] in SERVING_STATES:
        return forward
    print(f"llmgwctl: waiting for {name}: {_plight(forward)}", file=sys.stderr)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        _await_change(client, name, deadline)
        forward = choose(client.status(), name)
        if forward["state"] in SERVING_STATES:
            return forward
    raise _too_late(forward, timeout_s)


def _await_change(client: Client, name: str, until: float) -> None:
    """Return when the forward serves or changes, or the time is up."""
    try:
        for event in client.events(until=until):
            if event["kind"] == EventKind.SNAPSHOT:
                if choose(event["status"], name)["state"] in SERVING_STATES:
                    return
            elif event.get("forward") == name:
                return
    except TimeoutError:
        return
    raise Unreachable("daemon-stopped", "llmgwd ended meanwhile", "llmgwctl service status")


def _too_late(forward: ForwardStatus, timeout_s: float) -> ClientError:
    name, plight = forward["name"], _plight(forward)
    message = f"{name} does not serve after {timeout_s:g} s: {plight}"
    remedy = _cause(forward)[1]
    if forward["state"] == State.BLOCKED:
        return NeedsPerson("not-ready", message, remedy)
    return ClientError("not-ready", message, remedy or "see: llmgwctl status")


def _plight(forward: ForwardStatus) -> str:
    return _cause(forward)[0] or f"it is {forward['state']}"


def _cause(forward: ForwardStatus) -> tuple[str, str]:
    """Give sentence and remedy of the condition that keeps it from serving."""
    for condition in forward["conditions"]:
        if condition["severity"] == Severity.ERROR and condition["hidden_by"] is None:
            return condition["summary"].rstrip("."), condition["remedy"]
    return "", ""
