"""The doctor's whole examination: which checks, in which order, for which forwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Final

from llmgwd.config.model import ProbeKind
from llmgwd.doctor import cluster, gateway, port
from llmgwd.doctor.checks import Check, examine
from llmgwd.doctor.context import CheckContext, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmgwctl.wire import CheckStatus, ForwardStatus
    from llmgwd.config.model import Config, ForwardConfig

_CLUSTER: Final = (
    Check("kubeconfig", cluster.check_kubeconfig),
    Check("context", cluster.check_context, ("kubeconfig",)),
    Check("exec-plugin", cluster.check_plugin, ("context",)),
    Check("api-server", cluster.check_server, ("context",)),
    Check("login", cluster.check_login, ("api-server", "exec-plugin")),
    Check("permissions", cluster.check_permissions, ("login",)),
    Check("namespace", cluster.check_namespace, ("login",)),
    Check("target", cluster.check_target, ("namespace",)),
    Check("port", cluster.check_port, ("target",)),
    Check("pods", cluster.check_pods, ("port",)),
    Check("ways-in", gateway.check_ways, ("pods",)),
)
_URL: Final = Check("url", gateway.check_urls)
_LOCAL: Final = Check("local-port", port.check_port)
_KEY: Final = Check("key", gateway.check_key, ("gateway",))
_MODELS: Final = Check("models", gateway.check_models, ("key",))
_PAID: Final = Check("paid-health", gateway.check_paid, ("key",))


def checks_for(context: CheckContext) -> list[Check[CheckContext]]:
    """List what to check of a forward, in the order in which one thing rests on another."""
    chosen = [*_CLUSTER] if context.has_cluster else []
    chosen += [_URL] if context.urls else []
    chosen.append(_LOCAL)
    # With a daemon the gateway is asked through its port, so any way there will do.
    is_served = context.status is not None and bool(context.status["listen"])
    way = "ways-in" if context.has_cluster else "url"
    if not is_served and not context.has_cluster:
        return chosen
    chosen.append(Check("gateway", gateway.check_gateway, () if is_served else (way,)))
    if context.forward.probe.kind is ProbeKind.LITELLM:
        chosen += [_KEY, _MODELS]
        chosen += [_PAID] if context.request.is_paid else []
    return chosen


async def diagnose(
    config: Config,
    request: Request,
    statuses: Mapping[str, ForwardStatus],
    only: str | None = None,
) -> AsyncIterator[CheckStatus]:
    """Examine forwards one after another; `statuses` are those of a running daemon, or none."""
    for forward in _chosen(config.forwards, only):
        context = CheckContext(
            forward, forward.key or config.gateway.key, request, statuses.get(forward.name)
        )
        try:
            async for line in examine(checks_for(context), context, forward.name):
                yield line
        finally:
            await context.close()


def _chosen(forwards: Iterable[ForwardConfig], only: str | None) -> list[ForwardConfig]:
    return [each for each in forwards if only is None or each.name == only]
