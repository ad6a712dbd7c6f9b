"""The doctor's checks from the ways in to the gateway's answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.rules.litellm_answers import KeyVerdict, fault_of, judge_key
from llmgwctl.rules.models import is_offered
from llmgwctl.rules.nearest import nearest
from llmgwctl.rules.secrets import blank_out
from llmgwctl.wire import CheckState, ConditionKind, UpgradeKind
from llmgwd.cluster.api_errors import Denied
from llmgwd.cluster.target.resolve import explained
from llmgwd.cluster.upgrade import OTHER_WAY_MAY_PASS
from llmgwd.config.model import ProbeKind
from llmgwd.direct.address import parse_url
from llmgwd.direct.check import check as check_address
from llmgwd.direct.upstream import UpstreamDialer
from llmgwd.doctor.checks import Clock, Finding, Skip, failure, from_error, info, ok, warning
from llmgwd.doctor.tunnel_stream import converse, open_tunnel, require_listener
from llmgwd.errors import LlmgwError
from llmgwd.gateway.answer import Answer, Connect, NotHttp, exchange
from llmgwd.gateway.key import KeyRing, secrets_by
from llmgwd.gateway.models import names_in
from llmgwd.gateway.probe import of_forward, probe
from llmgwd.telemetry import redaction

if TYPE_CHECKING:
    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.doctor.context import CheckContext

# Of one way into a pod: below what the whole check is given.
WAY_S: Final = 4.0
_ANSWER_S: Final = 4.0
# Gateways have two or three pods; of more, these few say enough.
_PODS_TRIED: Final = 3
# /health calls every model behind the gateway; below what a whole check is given.
_PAID_S: Final = 38.0
_SHOWN_MODELS: Final = 5
# Of several pods one may answer, and the next one not: the daemon has asked more often.
_SEEN_IN_TURN: Final = (ConditionKind.GATEWAY_SILENT, ConditionKind.GATEWAY_UNHEALTHY)
_DIAL: Final = ConditionKind.DIAL_REFUSED


async def check_ways(context: CheckContext) -> list[Finding]:
    """Try each kind of upgrade; one that works is enough, the others are only reported. Then see
    that it leads to other pods as well: what fails at one of several is that one's fault.
    """
    assert context.view is not None
    if ("create", "pods/portforward") in context.denied:
        raise Skip("permissions")
    first, *others = context.view.endpoints[:_PODS_TRIED]
    tried = await _try_all(context, [first], list(UpgradeKind))
    ways = [way for way in UpgradeKind if not tried[first, way].is_failure]
    tried |= await _try_all(context, others, ways[:1] or list(UpgradeKind))
    works = [each for each, finding in tried.items() if not finding.is_failure]
    if not works:
        return _without_repetition([tried[first, way] for way in UpgradeKind])
    context.endpoint, context.way = works[0]
    found = [_excused(tried[first, way]) for way in UpgradeKind] if ways else [tried[works[0]]]
    reached = {endpoint for endpoint, _ in works}
    unreached = [tried[each, context.way] for each in (first, *others) if each not in reached]
    return [*found, *(replace(each, state=CheckState.WARNING) for each in unreached)]


async def _try_all(
    context: CheckContext, endpoints: Sequence[Endpoint], ways: Sequence[UpgradeKind]
) -> dict[tuple[Endpoint, UpgradeKind], Finding]:
    tried = {}

    async def try_it(endpoint: Endpoint, way: UpgradeKind) -> None:
        tried[endpoint, way] = await _try_way(context, endpoint, way)

    async with anyio.create_task_group() as tasks:
        for endpoint in endpoints:
            for way in ways:
                tasks.start_soon(try_it, endpoint, way)
    return {(each, way): tried[each, way] for each in endpoints for way in ways}


async def _try_way(context: CheckContext, endpoint: Endpoint, way: UpgradeKind) -> Finding:
    try:
        with Clock() as clock, anyio.fail_after(WAY_S):
            async with open_tunnel(context.cluster, endpoint, way) as tunnel:
                took_s = clock.so_far_s
                await require_listener(tunnel)
    except LlmgwError as error:
        if error.code == _DIAL:
            return from_error(_explained(context, endpoint, error))
        # A pod's, a node's or a policy's fault is that of no way.
        is_ways = error.code in OTHER_WAY_MAY_PASS and not isinstance(error, Denied)
        return from_error(error, f"{way} refused" if is_ways else "")
    except TimeoutError:
        cause = f"no answer within {WAY_S:.0f} s: something in between or the pod's node drops it"
        return failure(f"{way} to {endpoint.pod} unanswered", cause)
    return ok(f"{way} upgraded", took_s)


def _explained(context: CheckContext, endpoint: Endpoint, error: LlmgwError) -> LlmgwError:
    """Say of a pod's refusal what the status says of it."""
    assert context.view is not None
    route, kubectl = context.route, context.cluster.kubectl
    pod = context.view.pod(endpoint.pod)
    return explained(error, route.target, pod, endpoint.namespace, kubectl)


def _without_repetition(findings: Sequence[Finding]) -> list[Finding]:
    """Keep the first of those that say the same: a pod's or a node's fault is that of no way."""
    causes: dict[str, Finding] = {}
    for finding in findings:
        causes.setdefault(finding.cause or finding.found, finding)
    return list(causes.values())


def _excused(finding: Finding) -> Finding:
    """A way that is refused is no failure where another one works."""
    if not finding.is_failure:
        return finding
    why = f": {finding.cause}" if finding.cause else ""
    return Finding(CheckState.INFO, f"{finding.found.rstrip('.')}, not needed{why}")


async def check_urls(context: CheckContext) -> list[Finding]:
    """Ask each address that the forward may lead to; beside a cluster they are the fallback."""
    findings = []
    for url in context.urls:
        address = parse_url(url)
        with Clock() as clock:
            problem = await check_address(UpstreamDialer(address))
        if problem is None:
            findings.append(ok(f"{address} answers", clock.took_s))
        elif context.has_cluster:
            findings.append(warning(f"no fallback: {problem.message}", "", problem.remedy))
        else:
            findings.append(from_error(problem))
    return findings


async def check_gateway(context: CheckContext) -> Finding:
    """Ask for health as the forward does: through its port, or a tunnel where none is served."""
    if context.forward.probe.kind is ProbeKind.OFF:
        return info("not asked: its probe is off")
    async with _connecting(context) as (connect, where):
        result = await probe(context.forward.probe, connect)
    problem = of_forward(result.problem, context.forward.name)
    if problem is not None and not result.healthy:
        return from_error(problem)
    version = f", LiteLLM {result.version}" if result.version else ""
    database = f", database {result.database}" if result.database else ""
    found = f"answers {where}{version}{database}"
    if problem is not None:
        return warning(found, problem.message, problem.remedy)
    for condition in context.status["conditions"] if context.status is not None else ():
        if condition["kind"] in _SEEN_IN_TURN:
            return warning(found, condition["summary"], condition["remedy"])
    return ok(found, result.latency_s)


@asynccontextmanager
async def _connecting(context: CheckContext) -> AsyncIterator[tuple[Connect, str]]:
    """Give what opens streams to the gateway, and in words the way they take."""
    if context.is_served:
        assert context.status is not None
        address = context.status["listen"][0]
        host, _, port = address.rpartition(":")

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection(host.strip("[]"), int(port))

        yield connect, f"on {address}"
        return
    assert context.way is not None
    assert context.endpoint is not None
    endpoint = context.endpoint
    async with open_tunnel(context.cluster, endpoint, context.way) as tunnel:

        async def speak() -> tuple[asyncio.StreamReader, object]:
            return converse(tunnel)

        yield speak, f"through {endpoint.pod}"  # type: ignore[misc]


async def check_key(context: CheckContext) -> Finding:
    """Get the key from where the configuration says, and ask the gateway about it."""
    if context.key_source is None:
        return info("none configured for this gateway")
    ring = KeyRing(
        context.key_source,
        secrets_by(context.secret),
        redaction.register,
        namespace=context.route.namespace if context.has_cluster else "",
        release=(context.has_cluster and context.route.target.release) or "litellm",
    )
    key = await ring.key()
    answer = await ask(context, "/v1/models", key.value)
    judgement = judge_key(answer.status, answer.content, key.value)
    context.key = key
    if judgement.verdict is KeyVerdict.ACCEPTED:
        context.models = tuple(names_in(answer))
        found = f"{key.source}: accepted"
        return warning(found, key.warning) if key.warning else ok(found)
    if judgement.verdict is KeyVerdict.UNKNOWN:
        return failure(f"{key.source}: not judged", judgement.sentence)
    is_rejected = judgement.verdict is KeyVerdict.REJECTED
    state = CheckState.NEEDS_PERSON if is_rejected else CheckState.FAILED
    found = f"{key.source}: {judgement.verdict}"
    return Finding(state, found, judgement.sentence, judgement.remedy)


async def check_models(context: CheckContext) -> Finding:
    """See that the models that were asked for are there."""
    names = context.models
    missing = [name for name in context.request.models if not is_offered(name, names)]
    if missing:
        near = [each for name in missing for each in nearest(name, names)]
        there = f"There is {', '.join(near)}." if near else "llmgwctl models"
        cause = "the key may not use it, or the gateway has none of that name"
        return failure(f"no model {', '.join(missing)}", cause, there)
    if not names:
        return failure("the gateway offers this key no model", "", "llmgwctl open")
    more = f" and {len(names) - _SHOWN_MODELS} more" if len(names) > _SHOWN_MODELS else ""
    return ok(f"{', '.join(context.request.models or names[:_SHOWN_MODELS])}{more}")


async def check_paid(context: CheckContext) -> list[Finding]:
    """Have the gateway call each of its models for real; only on an explicit request."""
    assert context.key is not None
    answer = await ask(context, "/health", context.key.value, _PAID_S)
    body = answer.json
    if answer.status != 200 or not isinstance(body, dict):
        said = blank_out(fault_of(answer.content).message, [context.key.value])
        return [failure(f"/health answers {answer.status}", said)]
    failed = [str(each.get("model")) for each in body.get("unhealthy_endpoints") or ()]
    if failed:
        remedy = "llmgwctl logs --since 5m"
        return [failure(f"{', '.join(sorted(set(failed)))} failed a real call", "", remedy)]
    return [ok(f"{body.get('healthy_count')} models answered a real call")]


async def ask(context: CheckContext, path: str, key: str, within_s: float = _ANSWER_S) -> Answer:
    """Get `path` with the key.

    Raises:
        LlmgwError, TimeoutError; NotHttp and the like become a failure of the gateway's own line.
    """
    async with _connecting(context) as (connect, _):
        try:
            with anyio.fail_after(within_s):
                return await exchange(connect, path, {"Authorization": f"Bearer {key}"})
        except (NotHttp, OSError, EOFError) as error:
            raise Skip("gateway") from error
