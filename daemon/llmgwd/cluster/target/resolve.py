"""From a target's name to the pods and ports behind it: every decision, and no I/O.

The rules are the API server's own (facts of Services: a named targetPort is looked up in each
pod by itself, a headless service ignores targetPort) and kubectl's where it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.kubectl import Kubectl
from llmgwd.cluster.target import objects
from llmgwd.cluster.target.objects import LabelSelector, ServiceObject, ServiceSpec, WorkloadObject
from llmgwd.cluster.target.pods import Endpoint, Pod, TargetView
from llmgwd.config.target import Target, TargetKind
from llmgwd.errors import Blocked, LlmgwError, Transient


@dataclass(frozen=True, slots=True)
class ServicePort:
    name: str
    port: int
    target_port: int | str  # a name is looked up in each pod


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pods, and which port of each: a number, or a name to look up in that pod."""

    selector: str  # label selector as the API takes it; "" with a pod's name
    pod_name: str
    port: int | str


def select_by_service(service: Mapping[str, Any], port: str) -> Selection:
    """The pods and the port behind one port of a service.

    Raises:
        Blocked: the service has no selector, or does not declare the port.
        Transient: it is no service.
    """
    read = objects.read(ServiceObject, service)
    name, spec = read.metadata.name, read.spec or ServiceSpec()
    if spec.type == "ExternalName":
        raise _no_selector(name, f"leads to {spec.external_name}, not to pods")
    if not spec.selector:
        raise _no_selector(name, "selects no pods")
    chosen = _choose_port(name, _service_ports(spec), port)
    is_headless = spec.cluster_ip == "None"
    return Selection(
        selector=format_labels(spec.selector),
        pod_name="",
        port=chosen.port if is_headless else chosen.target_port,
    )


def select_by_workload(target: Target, workload: Mapping[str, Any], port: str) -> Selection:
    """The pods of a deployment, stateful set and their like; the port is one of the pods'."""
    spec = objects.read(WorkloadObject, workload).spec
    text = format_selector((spec and spec.selector) or LabelSelector())
    if not text:
        raise Blocked(
            ConditionKind.TARGET_HAS_NO_SELECTOR,
            f"{target} selects no pods",
            "Forward to a service or a label selector instead.",
        )
    return Selection(text, "", as_port(port))


def select_directly(target: Target, port: str) -> Selection:
    """A pod by its name or pods by a label selector: nothing to ask the API server first."""
    if target.kind is TargetKind.POD:
        return Selection("", target.name, as_port(port))
    return Selection(target.name, "", as_port(port))


def view(
    target: Target,
    selection: Selection,
    namespace: str,
    pods: Iterable[Pod],
    kubectl: Kubectl = Kubectl(),  # noqa: B008 - frozen
) -> TargetView:
    """Decide which of a target's pods to dial, and at which port each.

    Ready pods that stay; if there is none, running ones that stay (a node that lost its
    heartbeats has its pods marked not ready although they answer).
    """
    by_name = sorted(pods, key=lambda pod: pod.name)
    known = tuple(sorted(by_name, key=lambda pod: pod.created, reverse=True))
    candidates = [pod for pod in known if pod.is_candidate]
    chosen = [pod for pod in candidates if pod.is_ready] or candidates
    endpoints = tuple(_endpoints(chosen, selection.port))
    place = _Place(namespace, kubectl)
    problem = last_resort = None
    if not endpoints:
        problem = _why_none(target, selection, known, chosen, place)
    elif not chosen[0].is_ready:
        last_resort = _last_resort(target, chosen[0], place)
    leads_to = selection.selector or selection.pod_name
    return TargetView(endpoints, known, last_resort, problem, leads_to)


def explained(
    refusal: LlmgwError,
    target: Target,
    pod: Pod | None,
    namespace: str,
    kubectl: Kubectl,
) -> LlmgwError:
    """Add to a pod's refusal of a connection what the pod has, and where to look."""
    place = _Place(namespace, kubectl)
    if pod is not None and pod.trouble:
        words = f"{refusal.message.rstrip('.')} ({pod.trouble})"
        return Transient(refusal.code, words, place.look_at(pod), public=refusal.public)
    # A pod that is well and has nothing at this port: the port is wrong.
    if target.kind is TargetKind.SELECTOR:
        remedy = place.command("describe", "pods", "-l", target.name)
    else:
        remedy = place.command("describe", str(target))
    return Transient(refusal.code, refusal.message, remedy, public=refusal.public)


def format_selector(selector: LabelSelector) -> str:
    """A LabelSelector object in the text form that the API's labelSelector parameter takes."""
    parts = [format_labels(selector.match_labels or {})]
    for expression in selector.match_expressions or ():
        key, values = expression.key, ",".join(expression.values or ())
        forms = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        if expression.operator not in forms:
            # Left out, it would select more pods than were meant.
            raise Blocked(
                ConditionKind.TARGET_HAS_NO_SELECTOR,
                f"the selector has an operator that is not known: {expression.operator}",
                "Forward to a service or a label selector instead.",
            )
        parts.append(forms[expression.operator])
    return ",".join(part for part in parts if part)


def format_labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def as_port(text: str) -> int | str:
    return int(text) if text.isdecimal() and len(text) <= 5 else text


def _service_ports(spec: ServiceSpec) -> list[ServicePort]:
    return [
        ServicePort(port.name or "", port.port, port.target_port or port.port)
        for port in spec.ports or ()
        if (port.protocol or "TCP") == "TCP"
    ]


def _choose_port(service: str, declared: Sequence[ServicePort], wanted: str) -> ServicePort:
    number = as_port(wanted)
    for port in declared:
        if number in (port.port, port.name):
            return port
    listed = ", ".join(f"{p.port} ({p.name})" if p.name else str(p.port) for p in declared)
    raise Blocked(
        ConditionKind.TARGET_PORT_MISSING,
        f"service/{service} has no port {wanted}; it declares {listed or 'none'}",
        f"Set port to one of: {listed}." if listed else "Declare a port in the service.",
    )


def _no_selector(service: str, cause: str) -> Blocked:
    return Blocked(
        ConditionKind.TARGET_HAS_NO_SELECTOR,
        f"service/{service} {cause}: there is nothing to forward to",
        "Forward to the pods themselves: deployment/NAME, pod/NAME or a label selector.",
    )


def _endpoints(pods: Iterable[Pod], port: int | str) -> Iterable[Endpoint]:
    for pod in pods:
        number = port if isinstance(port, int) else pod.ports.get(port)
        if number is not None:
            yield Endpoint(pod.namespace, pod.name, pod.uid, number, pod.node)


@dataclass(frozen=True, slots=True)
class _Place:
    namespace: str
    kubectl: Kubectl

    def command(self, *words: str) -> str:
        return self.kubectl.command(*words, namespace=self.namespace)

    def look_at(self, pod: Pod) -> str:
        """Show what a pod has: what its container wrote before it crashed, else its events."""
        if pod.restarts or "CrashLoopBackOff" in pod.trouble:
            return self.command("logs", f"pod/{pod.name}", "--all-containers", "--previous")
        return self.command("describe", f"pod/{pod.name}")


def _last_resort(target: Target, pod: Pod, place: _Place) -> LlmgwError:
    head = f"no pod of {target} is ready; {pod.name} is used because it runs"
    return Transient(
        ConditionKind.UNREADY_POD_USED,
        f"{head} ({pod.trouble})" if pod.trouble else head,
        place.look_at(pod),
        public="no pod is ready; one that runs is used",
    )


def _why_none(
    target: Target,
    selection: Selection,
    known: Sequence[Pod],
    chosen: Sequence[Pod],
    place: _Place,
) -> LlmgwError:
    if chosen:
        named = sorted({f"{name}={number}" for pod in chosen for name, number in pod.ports.items()})
        return Blocked(
            ConditionKind.TARGET_PORT_MISSING,
            f'no pod of {target} names a port "{selection.port}"; '
            f"named are {', '.join(named) or 'none'}",
            "Name the container port, or use a number.",
        )
    if known:
        shown = ", ".join(f"{pod.name} ({_plight(pod)})" for pod in known[:3])
        more = f" and {len(known) - 3} more" if len(known) > 3 else ""
        return Transient(
            ConditionKind.NO_READY_POD,
            f"no pod of {target} can be used: {shown}{more}",
            place.look_at(known[0]),
            public=f"no pod of {target} can be used",
        )
    if selection.pod_name:
        return Transient(
            ConditionKind.NO_PODS,
            f"there is no {target} in namespace {place.namespace}: a service leads to any pod",
            place.command("get", "pods"),
        )
    return Transient(
        ConditionKind.NO_PODS,
        f"{target} has no pods (selector {selection.selector}): none match, or it is scaled to 0",
        place.command("get", "pods", "-l", selection.selector),
    )


def _plight(pod: Pod) -> str:
    return pod.trouble or pod.phase.lower()
