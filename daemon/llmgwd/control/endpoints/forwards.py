"""Status, health, events, and the acts on a forward: plain data, no HTTP library."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio.to_thread

from llmgwctl.rules import timestamps
from llmgwctl.rules.condition_kinds import RULES, Layer
from llmgwctl.rules.runtime import runtime
from llmgwctl.rules.visible_conditions import visible
from llmgwctl.wire import (
    SERVING_STATES,
    ApiPath,
    ConditionKind,
    ConfigStatus,
    Event,
    EventKind,
    ForwardHealth,
    ForwardStatus,
    Health,
    Runtime,
    Severity,
    State,
    Status,
)
from llmgwd.control.endpoint import JSON_LINES, Call, Endpoint, Lines, Parameter, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llmgwd.control.daemon import Daemon

# Of a forward that no one has used for an hour, what is known may be minutes old. It is asked
# again before it is shown; where no answer comes, what is shown carries its age.
_AFRESH_S = 0.5
# A port that is not there, a gateway that does not answer as it should. That its database is down
# is not among them: it serves all the same.
_NOTICED = frozenset(
    str(kind)
    for kind, rule in RULES.items()
    if (rule.layer is Layer.PORT and rule.severity is Severity.ERROR)
    or kind
    in (
        ConditionKind.GATEWAY_SILENT,
        ConditionKind.GATEWAY_UNHEALTHY,
        ConditionKind.NOT_LITELLM,
    )
)


def health_of(forwards: Sequence[ForwardStatus], state: str) -> Health:
    """Judge these forwards together; `state` is theirs as a whole. See `Health`."""
    wanted = [each for each in forwards if each["state"] != State.STOPPED]
    return Health(
        healthy=bool(wanted)
        and all(each["state"] in SERVING_STATES and not _problem(each) for each in wanted),
        state=state,
        forwards=[
            ForwardHealth(
                name=each["name"],
                state=each["state"],
                serves=each["state"] in SERVING_STATES,
                problem=_problem(each),
            )
            for each in forwards
        ],
    )


def _problem(forward: ForwardStatus) -> str:
    """Say why a forward does not serve, or what its clients notice although it does; a fallback is
    nothing of that.
    """
    serves = forward["state"] in SERVING_STATES
    found = (
        each for each in visible(forward["conditions"]) if not serves or each["kind"] in _NOTICED
    )
    return next((each["summary"] for each in found), "")


async def _status(daemon: Daemon, call: Call) -> Reply:
    await daemon.refresh(_AFRESH_S)
    return Reply(daemon.status())


async def _version(daemon: Daemon, call: Call) -> Reply:
    # It reads a file of each library.
    return Reply(await anyio.to_thread.run_sync(runtime))


async def _health(daemon: Daemon, call: Call) -> Reply:
    await daemon.refresh(_AFRESH_S)
    name = call.query.get("forward")
    if name is None:
        status = daemon.status()
        health = health_of(status["forwards"], status["state"])
    else:
        forward = daemon.forward_status(name)
        health = health_of([forward], forward["state"])
    return Reply(health, status=200 if health["healthy"] else 503)


async def _events(daemon: Daemon, call: Call) -> Lines:
    is_followed = call.query.get("follow", True)
    return Lines(_watch(daemon, call.query.get("since_s"), is_followed))


async def _watch(daemon: Daemon, since_s: float | None, is_followed: bool) -> AsyncIterator[Event]:
    async with daemon.subscribe() as coming:
        # Between these two lines nothing can happen, and what came before them is in both:
        # hence the check of seq below.
        past = daemon.events_since(None)
        status = daemon.status()
        seq = past[-1]["seq"] if past else 0
        for event in past:
            if since_s is not None and _age_s(event) <= since_s:
                yield event
        yield _snapshot(status, seq)
        if is_followed:
            async for event in coming:
                if event["seq"] > seq:
                    yield event


def _snapshot(status: Status, seq: int) -> Event:
    return Event(seq=seq, time=timestamps.now(), kind=EventKind.SNAPSHOT, status=status)


def _age_s(event: Event) -> float:
    return time.time() - (timestamps.seconds_of(event["time"]) or 0.0)


async def _restart(daemon: Daemon, call: Call) -> Reply:
    name = call.names["name"]
    await daemon.restart(name)
    return Reply(daemon.forward_status(name))


async def _stop(daemon: Daemon, call: Call) -> Reply:
    name = call.names["name"]
    await daemon.stop(name)
    return Reply(daemon.forward_status(name))


async def _start(daemon: Daemon, call: Call) -> Reply:
    name = call.names["name"]
    await daemon.start(name)
    return Reply(daemon.forward_status(name))


async def _reload(daemon: Daemon, call: Call) -> Reply:
    await daemon.reload()
    return Reply(daemon.status()["config"])


ENDPOINTS = (
    Endpoint("GET", ApiPath.STATUS, "Everything known right now", Status, _status),
    Endpoint("GET", ApiPath.VERSION, "What the daemon runs on", Runtime, _version),
    Endpoint(
        "GET",
        ApiPath.HEALTH,
        "Whether the forwards serve: 200, or 503",
        Health,
        _health,
        parameters=(Parameter("forward", str, "only this one"),),
        refusals=(404,),
        also=(503,),
    ),
    Endpoint(
        "GET",
        ApiPath.EVENTS,
        "What happens, one event a line: a snapshot first, then events with a rising seq",
        Event,
        _events,
        parameters=(
            Parameter(
                "since_s", float, "events of so many seconds before, too", minimum=0, maximum=1e9
            ),
            Parameter("follow", bool, "false: end with the snapshot"),
        ),
        media=JSON_LINES,
    ),
    Endpoint(
        "POST",
        ApiPath.FORWARD_RESTART,
        "Connect it anew; the port stays open",
        ForwardStatus,
        _restart,
        refusals=(404, 409),
    ),
    Endpoint(
        "POST",
        ApiPath.FORWARD_STOP,
        "Stop it and close its port",
        ForwardStatus,
        _stop,
        refusals=(404, 409),
    ),
    Endpoint(
        "POST",
        ApiPath.FORWARD_START,
        "Start a stopped forward",
        ForwardStatus,
        _start,
        refusals=(404, 409),
    ),
    Endpoint(
        "POST",
        ApiPath.RELOAD,
        "Read the configuration again; a mistake changes nothing",
        ConfigStatus,
        _reload,
        refusals=(409, 422),
    ),
)
