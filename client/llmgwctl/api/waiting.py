"""Waiting for forwards to be in a state: on the daemon's events, across its restarts."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from llmgwctl.api.forward_choice import choose
from llmgwctl.errors import ClientError, NeedsPerson, NotRunning
from llmgwctl.rules.visible_conditions import visible
from llmgwctl.wire import SERVING_STATES, EventKind, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmgwctl.api.client import Client
    from llmgwctl.wire import ForwardStatus, Status

    IsSo = Callable[[Mapping[str, str]], bool]

SERVING = "serving"
# No event reports that a daemon starts, so its socket is tried; well within the 100 ms that a
# script may expect.
_RETRY_S = 0.05


def wait_until(client: Client, is_so: IsSo, until: float, name: str | None = None) -> None:
    """Return as soon as `is_so` of the states, by name, of all forwards or of the one named.

    A daemon that is not running is waited for. `until` is on the monotonic clock.

    Raises:
        TimeoutError: it was not so in time.
        NotRunning: there was no daemon when the time was up.
    """
    is_absent = False
    while True:
        try:
            _watch(client, is_so, until, name)
            return
        except TimeoutError:
            # Before its time: the daemon showed no sign of life, and is asked again.
            if time.monotonic() >= until:
                raise
        except NotRunning:
            if time.monotonic() >= until:
                raise
            if not is_absent:
                print("llmgwctl: llmgwd is not running; waiting for it", file=sys.stderr)
            is_absent = True
        time.sleep(_RETRY_S)


def wait_until_serving(client: Client, name: str, timeout_s: float) -> ForwardStatus:
    """Wait until a forward serves, and report on stderr what it waits for.

    Raises:
        NeedsPerson, ClientError: it did not within the time, and why.
    """
    forward = choose(client.status(), name)
    if forward["state"] in SERVING_STATES:
        return forward
    print(f"llmgwctl: waiting for {name}: {_reason(forward)}", file=sys.stderr)
    try:
        wait_until(client, _all_serve, time.monotonic() + timeout_s, name)
    except TimeoutError:
        raise too_late(choose(client.status(), name), SERVING, timeout_s) from None
    return choose(client.status(), name)


def serving(client: Client, forward: ForwardStatus, wait_s: float) -> ForwardStatus:
    """Give a forward that serves; one that does not is waited for, or with 0 reported at once.

    Raises:
        NeedsPerson, ClientError: it does not serve, and why.
    """
    if forward["state"] in SERVING_STATES:
        return forward
    if wait_s > 0:
        return wait_until_serving(client, forward["name"], wait_s)
    raise too_late(forward, SERVING, 0.0)


def too_late(forward: ForwardStatus, wanted: str, timeout_s: float) -> ClientError:
    """Say which state a forward is in instead of the wanted one, and why."""
    state = forward["state"]
    found = visible(forward["conditions"])
    why = f": {_reason(forward)}" if found else ""
    after = f", after {timeout_s:g} s" if timeout_s else ""
    message = f"{forward['name']} is {state}, not {wanted}{after}{why}"
    remedy = found[0]["remedy"] if found else "see: llmgwctl status"
    kind = NeedsPerson if state == State.BLOCKED else ClientError
    return kind("not-so", message, remedy)


def _watch(client: Client, is_so: IsSo, until: float, name: str | None) -> None:
    states: dict[str, str] = {}
    for event in client.events(until=until):
        if event["kind"] == EventKind.SNAPSHOT:
            states = _states(event["status"], name)
        elif event["kind"] == EventKind.STATE_CHANGED and event.get("forward") in states:
            states[event["forward"]] = event["state"]
        if is_so(states):
            return
        if time.monotonic() >= until:
            raise TimeoutError
    raise NotRunning


def _states(status: Status, name: str | None) -> dict[str, str]:
    chosen = [choose(status, name)] if name else status["forwards"]
    return {each["name"]: each["state"] for each in chosen}


def _all_serve(states: Mapping[str, str]) -> bool:
    return bool(states) and all(state in SERVING_STATES for state in states.values())


def _reason(forward: ForwardStatus) -> str:
    found = visible(forward["conditions"])
    return found[0]["summary"].rstrip(".") if found else f"it is {forward['state']}"
