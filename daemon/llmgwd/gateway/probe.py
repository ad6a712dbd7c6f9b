"""Health of what answers behind a route, asked end to end through it.

Verdicts are pure functions of an answer; `probe` performs the exchange. `/health` is never asked:
it makes real, paid model calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.rules.litellm_answers import fault_of
from llmgwctl.wire import ConditionKind
from llmgwd.config.model import ProbeKind
from llmgwd.errors import LlmgwError, Transient, command
from llmgwd.gateway.answer import Answer, Connect, NotHttp, exchange
from llmgwd.gateway.error_answer import OWN_SERVER

if TYPE_CHECKING:
    from llmgwd.config.model import Probe

_LOGS: Final = "llmgwctl logs"
GATEWAY_LOG: Final = "llmgwctl logs --since 10m"
_CLOSED: Final = "The gateway closed the connection without an answer."
LIVELINESS: Final = "/health/liveliness"
READINESS: Final = "/health/readiness"

# Liveliness takes 2-4 ms at the gateway; what takes this long is stuck or far beyond use.
ANSWER_S: Final = 4.0
# A server that waits for its client to speak shows nothing; a refused dial ends the stream sooner.
TCP_SETTLE_S: Final = 1.0
# Readiness changes rarely (the gateway itself caches it for 2 min), and where it asks for a key
# each refusal writes a traceback into the gateway's log.
READINESS_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`healthy` None: not known (not asked, or the route itself failed). `problem` may come with
    a healthy gateway: its database is down and it serves all the same.

    `database` is "connected", "not-connected" (there is none), "down", or None (not told).
    """

    healthy: bool | None
    latency_s: float | None = None
    version: str | None = None
    database: str | None = None
    problem: LlmgwError | None = None
    readiness_at: float | None = None  # on the event loop's clock; None: not yet asked
    tells_readiness: bool = True


UNKNOWN: Final = ProbeResult(None)


async def probe(
    probe: Probe, connect: Connect, *, previous: ProbeResult | None = None
) -> ProbeResult:
    """Ask once, as `probe.kind` says; never raises for what the gateway or the route does.

    `connect` gives a byte stream through the route. With the `previous` result, readiness is asked
    only now and then and its last answer kept; leave it out after a route has come up.
    """
    if probe.kind is ProbeKind.OFF:
        return UNKNOWN
    try:
        if probe.kind is ProbeKind.TCP:
            return await _tcp(connect)
        is_http = probe.kind is ProbeKind.HTTP
        path = probe.path if is_http else LIVELINESS
        started = anyio.current_time()
        with anyio.fail_after(ANSWER_S):
            answer = await exchange(connect, path)
        result = _http(path, answer) if is_http else liveliness(answer)
        result = replace(result, latency_s=anyio.current_time() - started)
        if probe.kind is ProbeKind.LITELLM and result.healthy:
            return await _with_readiness(result, connect, previous)
        return result
    except LlmgwError as error:
        is_gateways = error.code == ConditionKind.DIAL_REFUSED
        return ProbeResult(False if is_gateways else None, problem=error)
    except TimeoutError:
        return _sick(
            ConditionKind.GATEWAY_SILENT, f"The gateway gave no answer within {ANSWER_S:g} s."
        )
    except NotHttp as error:
        return _sick(
            ConditionKind.NOT_LITELLM,
            f"The port answers {_shown(error.start)}, not HTTP.",
            "The port answers with something other than HTTP.",
        )
    except (OSError, EOFError):
        return _sick(ConditionKind.GATEWAY_UNHEALTHY, _CLOSED)


def liveliness(answer: Answer) -> ProbeResult:
    """Judge the answer to GET /health/liveliness, which needs no key in any version."""
    if answer.status == 200 and answer.json == "I'm alive!":
        return ProbeResult(True)
    if _is_shutting_down(answer):
        return _shutting_down()
    if answer.status == 502 and answer.headers.get("server") == OWN_SERVER:
        # The doctor asks through the port, where llmgwd answers for a gateway that said nothing.
        return _sick(ConditionKind.GATEWAY_UNHEALTHY, _CLOSED)
    if answer.status >= 500:
        return _failing(LIVELINESS, answer)
    if answer.status == 400 and b"HTTPS" in answer.body:
        return _sick(
            ConditionKind.NOT_LITELLM, "The port speaks HTTPS, and was asked in plain HTTP."
        )
    what = f"{answer.status} {_shown(answer.body)}".rstrip()
    if "location" in answer.headers:
        what = f"{answer.status}, a redirect"
    return _sick(
        ConditionKind.NOT_LITELLM,
        f"The port answers GET {LIVELINESS} with {what}: that is not LiteLLM.",
        f"The port answers GET {LIVELINESS} with {answer.status}: that is not LiteLLM.",
    )


def readiness(answer: Answer) -> ProbeResult:
    """Judge the answer to GET /health/readiness of a gateway that is alive.

    1.80 gives the version and says "connected" in `status` too; 1.104 gives only `status` and
    `db`, and answers 503 when the database is lost; custom_auth asks for a key (told: nothing).
    """
    body = answer.json if isinstance(answer.json, dict) else {}
    if answer.status == 503 and _is_shutting_down(answer):
        return _shutting_down()
    database = _DATABASE.get(str(body.get("db")).lower())
    if answer.status == 503 and (database is not None or "detail" in body):
        database = "down"
    problem = None
    if database == "down":
        problem = Transient(
            ConditionKind.DATABASE_DOWN,
            "The gateway cannot reach its database: virtual keys and spend are unknown to it.",
            "llmgwctl logs --since 10m -i --grep database",
        )
    version = body.get("litellm_version")
    return ProbeResult(
        True,
        version=version if isinstance(version, str) else None,
        database=database,
        problem=problem,
        tells_readiness=answer.status not in (401, 403, 404),
    )


_DATABASE: Final = {
    "connected": "connected",
    "not connected": "not-connected",
    "disconnected": "down",
    "stalled": "down",
}


async def _with_readiness(
    alive: ProbeResult, connect: Connect, previous: ProbeResult | None
) -> ProbeResult:
    now = anyio.current_time()
    if previous is not None and previous.healthy and not _is_due(previous, now):
        return replace(previous, latency_s=alive.latency_s)
    try:
        with anyio.fail_after(ANSWER_S):
            answer = await exchange(connect, READINESS)
    except (TimeoutError, OSError, EOFError, NotHttp, LlmgwError):
        # The gateway has just said that it lives: what readiness hides is not known, no more.
        return replace(alive, readiness_at=now)
    return replace(readiness(answer), latency_s=alive.latency_s, readiness_at=now)


def _is_due(previous: ProbeResult, now: float) -> bool:
    if previous.readiness_at is None or previous.problem is not None:
        return True
    return previous.tells_readiness and now - previous.readiness_at >= READINESS_EVERY_S


async def _tcp(connect: Connect) -> ProbeResult:
    started = anyio.current_time()
    with anyio.fail_after(ANSWER_S):
        reader, writer = await connect()
    try:
        latency_s = anyio.current_time() - started
        with anyio.move_on_after(TCP_SETTLE_S):
            if not await reader.read(1):
                raise EOFError
        return ProbeResult(True, latency_s)
    finally:
        writer.close()


def _http(path: str, answer: Answer) -> ProbeResult:
    """Judge any path: what answers below 500 is up."""
    return ProbeResult(True) if answer.status < 500 else _failing(path, answer)


def _is_shutting_down(answer: Answer) -> bool:
    body = answer.json
    return isinstance(body, dict) and body.get("status") == "shutting_down"


def _shutting_down() -> ProbeResult:
    return _sick(ConditionKind.GATEWAY_UNHEALTHY, "The gateway is shutting down.")


def _failing(path: str, answer: Answer) -> ProbeResult:
    said = fault_of(answer.content).message.encode() or answer.body
    what = f"{answer.status} {_shown(said)}".rstrip()
    ours = f"The gateway answers GET {path} with"
    return _sick(ConditionKind.GATEWAY_UNHEALTHY, f"{ours} {what}.", f"{ours} {answer.status}.")


def of_forward(problem: LlmgwError | None, forward: str) -> LlmgwError | None:
    """Have the remedy say whose log it means, as it must where there are several forwards."""
    if problem is None or not problem.remedy.startswith(_LOGS):
        return problem
    remedy = f"{_LOGS} --forward {command(forward)}{problem.remedy.removeprefix(_LOGS)}"
    return Transient(problem.code, problem.message, remedy, public=problem.public)


_REMEDIES: Final = {
    ConditionKind.NOT_LITELLM: (
        'Check target and port of this forward, or set probe = "tcp" if it is not a LiteLLM.'
    ),
    ConditionKind.GATEWAY_SILENT: GATEWAY_LOG,
    ConditionKind.GATEWAY_UNHEALTHY: GATEWAY_LOG,
}


def _sick(code: ConditionKind, message: str, public: str = "") -> ProbeResult:
    problem = Transient(code, message, _REMEDIES[code], public=public)
    return ProbeResult(False, problem=problem)


def _shown(start: bytes) -> str:
    """The beginning of foreign bytes, fit for one line of a terminal."""
    text = "".join(c if c.isprintable() else "·" for c in start[:40].decode("utf-8", "replace"))
    cut = "…" if len(start) > 40 else ""
    return f"“{text}{cut}”" if text else ""
