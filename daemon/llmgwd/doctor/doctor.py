"""The doctor's whole examination: which checks, in which order, for which forwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from llmgwd.config.model import ProbeKind
from llmgwd.doctor import cluster, gateway, key_rights, port
from llmgwd.doctor.checks import Check, Examination
from llmgwd.doctor.context import CheckContext, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmgwctl.wire import CheckStatus, ForwardStatus
    from llmgwd.config.model import Config

# /health calls every model behind the gateway.
_PAID_S: Final = 40.0
# First one pod, then the others.
_WAYS_S: Final = 2 * gateway.WAY_S + 0.5
# Above the probe's own time, so that its words are heard.
_GATEWAY_S: Final = 6.0
_HANGS: Final = "the API server takes connections and does not answer"
_LOST: Final = "what is sent goes nowhere, or the server hangs"

_CLUSTER: Final = (
    Check("kubeconfig", cluster.check_kubeconfig),
    Check("context", cluster.check_context, ("kubeconfig",)),
    Check("exec-plugin", cluster.check_plugin, ("context",), within_s=cluster.PLUGIN_S),
    Check("api-server", cluster.check_server, ("context",), within_s=cluster.SERVER_S + 1.0),
    Check("login", cluster.check_login, ("api-server", "exec-plugin"), if_silent=_HANGS),
    Check("permissions", cluster.check_permissions, ("login",), if_silent=_HANGS),
    Check(
        "namespace", cluster.check_namespace, ("login",), after=("permissions",), if_silent=_HANGS
    ),
    Check("target", cluster.check_target, ("namespace",)),
    Check("port", cluster.check_port, ("target",)),
    Check("pods", cluster.check_pods, ("port",), if_silent=_HANGS),
    Check("ways-in", gateway.check_ways, ("pods",), after=("permissions",), within_s=_WAYS_S),
)
_URL: Final = Check("url", gateway.check_urls, if_silent=_LOST)
_LOCAL: Final = Check("local-port", port.check_port)


def checks_for(context: CheckContext) -> list[Check[CheckContext]]:
    """List what to check of a forward, in the order in which one thing rests on another."""
    chosen = [*_CLUSTER] if context.has_cluster else []
    chosen += [_URL] if context.urls else []
    chosen.append(_LOCAL)
    way = ("ways-in",) if context.has_cluster else ("url",)
    if not context.is_served and not context.has_cluster:
        return chosen
    # With a daemon the gateway is asked through its port, so any way there will do.
    needs, rests_on = ((), way) if context.is_served else (way, ())
    chosen.append(
        Check("gateway", gateway.check_gateway, needs, yields_to=rests_on, within_s=_GATEWAY_S)
    )
    if context.forward.probe.kind is ProbeKind.LITELLM:
        opened = ("context",) if context.has_cluster else ()
        key_needs = ("gateway", *opened)
        chosen.append(Check("key", gateway.check_key, key_needs, yields_to=rests_on))
        if context.key_source is not None:
            chosen.append(Check("key-rights", key_rights.check_key_rights, ("key",)))
            chosen.append(Check("models", gateway.check_models, ("key",)))
        if context.key_source is not None and context.request.is_paid:
            chosen.append(
                Check(
                    "paid-health",
                    gateway.check_paid,
                    ("key",),
                    within_s=_PAID_S,
                    is_unhurried=True,
                )
            )
    return chosen


async def diagnose(
    config: Config,
    request: Request,
    statuses: Mapping[str, ForwardStatus],
    only: str | None = None,
) -> AsyncIterator[CheckStatus]:
    """Examine forwards, all at once, and report on one after another; `statuses` are those of a
    running daemon, or none.
    """
    contexts = [
        CheckContext(each, each.key, request, statuses.get(each.name))
        for each in config.forwards
        if only is None or each.name == only
    ]
    examinations = [
        Examination(checks_for(context), context, context.forward.name) for context in contexts
    ]
    try:
        for examination in examinations:
            async for line in examination.lines():
                yield line
    finally:
        for examination in examinations:
            await examination.close()
        for context in contexts:
            await context.close()
