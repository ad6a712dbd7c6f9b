"""The doctor's checks from the kubeconfig to the pods."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from llmgwctl.wire import CheckState, ConditionKind
from llmgwd.cluster.access import open_access
from llmgwd.cluster.api_errors import (
    Action,
    Forbidden,
    NotFound,
    Unauthorized,
    is_page,
    refusal,
)
from llmgwd.cluster.auth.credentials import Credential
from llmgwd.cluster.auth.renewal import PATIENCE_S, UnderWay
from llmgwd.cluster.kubeconfig.files import kubeconfig_paths
from llmgwd.cluster.target import objects
from llmgwd.cluster.target.pod_troubles import latest_warning
from llmgwd.cluster.target.target_watch import first_view
from llmgwd.config.key_source import Secret
from llmgwd.doctor.checks import Clock, Finding, Skip, from_error, info, ok, warning
from llmgwd.doctor.permissions import Need, needs, role, shown
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.net.dial import dial_error
from llmgwd.net.http_head import HeadReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.doctor.context import CheckContext
    from llmgwd.net.server import Server

# Milliseconds are usual, a distant cluster takes one second.
SERVER_S: Final = 5.0
# A login program may ask a server of its own, or a security key. It is waited for a little longer
# than that, until its login says itself what is the matter.
_PLUGIN_S: Final = 8.0
PLUGIN_S: Final = _PLUGIN_S + PATIENCE_S + 0.5
_MISSPELT: Final = "Correct the key's name in the kubeconfig, or take the key out."
# Which check a problem of the target belongs to.
_BLAMED: Final = {
    ConditionKind.NAMESPACE_MISSING: "namespace",
    ConditionKind.TARGET_MISSING: "target",
    ConditionKind.TARGET_HAS_NO_SELECTOR: "target",
    ConditionKind.TARGET_PORT_MISSING: "port",
}


async def check_kubeconfig(context: CheckContext) -> Finding:
    route = context.route
    try:
        context.access = await open_access(route.kubeconfig, route.context)
    except Blocked as error:
        if error.code in (ConditionKind.KUBECONFIG_MISSING, ConditionKind.KUBECONFIG_INVALID):
            raise
        context.access_problem = error
    paths = kubeconfig_paths(route.kubeconfig, os.environ)
    return ok(", ".join(await anyio.to_thread.run_sync(_present, paths)))


def _present(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if os.path.exists(path)]


async def check_context(context: CheckContext) -> Finding:
    if context.access_problem is not None:
        raise context.access_problem
    how = "pinned" if context.route.context else "the current one"
    found = f"{context.cluster.context} ({how}), cluster {context.cluster.cluster}"
    if context.cluster.unknown_keys:
        strange = ", ".join(context.cluster.unknown_keys)
        return warning(found, f"without effect here, and in kubectl: {strange}", _MISSPELT)
    return ok(found)


async def check_plugin(context: CheckContext) -> Finding:
    command = context.cluster.plugin
    if command is None:
        return info("none: the context needs no program to log in")
    until = anyio.current_time() + _PLUGIN_S
    with Clock() as clock:
        while True:
            try:
                await context.cluster.credential()
                return ok(f"{command} ran and gave a login", clock.so_far_s)
            except UnderWay:
                if anyio.current_time() >= until:
                    raise


async def check_server(context: CheckContext) -> Finding:
    """Connect and do the handshake, without a login: whose fault the rest is follows from it."""
    try:
        with anyio.fail_after(SERVER_S):
            return await _server_found(context)
    except TimeoutError:
        raise context.cluster.unanswered(SERVER_S) from None


async def _server_found(context: CheckContext) -> Finding:
    dialer = context.cluster.dialer(Credential())
    with Clock() as clock:
        transport, reader = await dialer.dial(HeadReader)
    try:
        handshake = transport.get_extra_info("ssl_object")
        problem = await _who_answers(dialer.server, transport, reader)
    except (OSError, EOFError) as error:
        raise dial_error(dialer, error) from error
    finally:
        transport.abort()
    if problem is not None:
        raise problem
    judged = "certificate trusted" if context.cluster.is_verified else "certificate not checked"
    tls = f"{handshake.version()}, {judged}" if handshake else "no TLS, so no login is sent"
    via = f" through {dialer.proxy}" if dialer.proxy else ""
    return ok(f"{context.cluster.server} reached{via}, {tls}", clock.took_s)


async def _who_answers(
    server: Server, transport: asyncio.Transport, reader: HeadReader
) -> LlmgwError | None:
    """Ask for the version, which needs no login, and judge who answers; its 403 is a yes."""
    asked = f"GET {server.prefix}/version HTTP/1.1\r\nHost: {server.authority}\r\n"
    transport.write(f"{asked}Accept: application/json\r\nConnection: close\r\n\r\n".encode())
    status, _ = await reader.read_head()
    body = await reader.read_body()
    is_answer = status in (200, 401, 403, 404) and not is_page(body)
    return None if is_answer else refusal(Action("get", "/version"), status, body, {}, "")


async def check_login(context: CheckContext) -> Finding:
    with Clock() as clock:
        try:
            context.user = await _user(context)
        except Unauthorized as error:
            return from_error(error, "the API server answers 401")
    version = await _version(context)
    return ok(f"accepted{f' as {context.user}' if context.user else ''}{version}", clock.took_s)


async def _user(context: CheckContext) -> str | None:
    """Ask who we are; a server before 1.28, or one that forbids it, does not say."""
    try:
        return await context.cluster.user()
    except (NotFound, Forbidden):
        # To get here the login was accepted: what is not known is a 401.
        return None


async def _version(context: CheckContext) -> str:
    try:
        return f", Kubernetes {await context.cluster.version()}"
    except LlmgwError:
        return ""


async def check_permissions(context: CheckContext) -> list[Finding]:
    """Ask for each verb on its own; one Role for all that is missing."""
    source = context.key_source
    wanted = needs(context.route, source.name if isinstance(source, Secret) else None)
    try:
        missing = [n for n in wanted if not await context.cluster.self_subject_access(n.action)]
    except Forbidden as error:
        return [info(f"cannot be asked for: {error.message}")]
    context.denied = frozenset((need.action.verb, need.action.resource) for need in missing)
    if not missing:
        return [ok(f"may {shown(wanted)} in {context.route.namespace}")]
    vital = [need for need in missing if need.is_vital]
    lesser = [need for need in missing if not need.is_vital]
    findings = [_lacks(need_list, wanted, context) for need_list in (vital, lesser) if need_list]
    # One Role for all of it: it stands with the first line.
    return [findings[0], *(replace(finding, remedy="") for finding in findings[1:])]


def _lacks(missing: Sequence[Need], wanted: Sequence[Need], context: CheckContext) -> Finding:
    namespace = context.route.namespace
    remedy = role(wanted, namespace, context.user, context.cluster.kubectl)
    found = f"may not {shown(missing)} in namespace {namespace}"
    if missing[0].is_vital:
        cause = "an administrator of the cluster has to grant it, by this Role"
        return Finding(CheckState.NEEDS_PERSON, found, cause, remedy)
    return warning(found, "; ".join(dict.fromkeys(need.loss for need in missing)), remedy)


async def check_namespace(context: CheckContext) -> Finding:
    route = context.route
    _require_sight(context)
    context.view = await first_view(context.cluster, context.route)
    _blame(context, "namespace")
    named = "" if context.cluster.namespace == route.namespace else ", not the context's own"
    return ok(f"{route.namespace}{named}")


def _require_sight(context: CheckContext) -> None:
    """Raises Skip: what may not be seen was found out, and said so, already."""
    vital = [need.action for need in needs(context.route, None) if need.is_vital]
    sights = {(each.verb, each.resource) for each in vital if each.resource != "pods/portforward"}
    if context.denied & sights:
        raise Skip("permissions")


def _blame(context: CheckContext, check: str) -> None:
    """Raise what is wrong with the target where this check is the one to report it."""
    if context.view is None:
        raise Skip("namespace")
    problem = context.view.problem
    if problem is not None and _BLAMED.get(ConditionKind(problem.code), "pods") == check:
        raise problem


async def check_target(context: CheckContext) -> Finding:
    _blame(context, "target")
    assert context.view is not None
    pods = len(context.view.pods)
    return ok(f"{context.route.target} leads to {pods} pod{'' if pods == 1 else 's'}")


async def check_port(context: CheckContext) -> Finding:
    _blame(context, "port")
    assert context.view is not None
    numbers = sorted({endpoint.port for endpoint in context.view.endpoints})
    behind = f" leads to {', '.join(map(str, numbers))} in the pods" if numbers else ""
    return ok(f"{context.route.port}{behind}")


async def check_pods(context: CheckContext) -> list[Finding]:
    """Report the trouble of each pod; the check fails only when no pod can be used."""
    assert context.view is not None
    view = context.view
    said = await _said(context)
    ready = sum(pod.is_ready and not pod.is_terminating for pod in view.pods)
    if view.problem is not None:
        found = from_error(view.problem)
        cause = "; ".join(dict.fromkeys(said.values()))
        return [replace(found, state=CheckState.FAILED, cause=cause)]
    head = f"{ready} of {len(view.pods)} Ready"
    if view.last_resort is not None:
        cause = said.get(view.endpoints[0].pod, "")
        return [warning(f"{head}: {view.last_resort.message}", cause, view.last_resort.remedy)]
    kubectl, namespace = context.cluster.kubectl, context.route.namespace
    lines = [
        warning(
            f"{pod.name}: {pod.trouble}",
            said.get(pod.name, ""),
            kubectl.command("describe", f"pod/{pod.name}", namespace=namespace),
        )
        for pod in view.pods
        if pod.trouble
    ]
    return [ok(head), *lines]


async def _said(context: CheckContext) -> dict[str, str]:
    """Give the cluster's latest warning about each pod that cannot serve, by name."""
    assert context.view is not None
    ailing = [pod.name for pod in context.view.pods if pod.is_terminating or not pod.is_ready]
    events = await _events(context.cluster, context.route.namespace) if ailing else ()
    return {name: words for name in ailing if (words := latest_warning(events, name))}


async def _events(cluster: ClusterAccess, namespace: str) -> Sequence[objects.EventObject]:
    try:
        listed = await cluster.call(
            cluster.core.list_namespaced_event, namespace, field_selector="type=Warning"
        )
        return objects.read_list(objects.EventObject, listed)[0]
    except LlmgwError:
        return ()  # seldom granted, and only an addition
