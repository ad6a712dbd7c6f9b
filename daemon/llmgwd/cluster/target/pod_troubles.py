"""What is wrong with a pod, in words, from the pod and its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from llmgwd.cluster.target.objects import ContainerState, PodStatus

if TYPE_CHECKING:
    from llmgwd.cluster.target.objects import ContainerStatus, Ending, EventObject, PodObject

# A scheduler's words on thousands of nodes are cut.
_MOST_CHARACTERS: Final = 300


def trouble(pod: PodObject) -> str | None:
    """Say in one phrase why a pod cannot be used, or could not lately; None when all is well."""
    words = _trouble(pod, pod.status or PodStatus())
    return words and " ".join(words.split())[:_MOST_CHARACTERS]


def _trouble(pod: PodObject, status: PodStatus) -> str | None:
    if pod.metadata.deletion_timestamp:
        return "terminating"
    found = [words for each in _containers(status) if (words := _of_container(each))]
    if found:
        return "; ".join(found)
    if status.phase != "Running":
        return _phase(status)
    if is_ready(status):
        return None
    if _is_so(status, "ContainersReady"):
        node = pod.spec.node_name if pod.spec is not None else None
        return f"its containers are ready, so its node {node or ''} may not report"
    return "running, not Ready"


def is_ready(status: PodStatus) -> bool:
    """Read the condition Ready of a pod's status."""
    return _is_so(status, "Ready")


def runs(status: PodStatus) -> bool:
    """Say whether a container runs. Of one that crashes again and again, `Running` is the pod's
    phase all the same.
    """
    states = [each.state for each in status.container_statuses or () if each.state is not None]
    return not states or any(state.waiting is None and state.terminated is None for state in states)


def _is_so(status: PodStatus, condition: str) -> bool:
    return any(each.type == condition and each.status == "True" for each in status.conditions or ())


def _phase(status: PodStatus) -> str:
    """Give the phase, with the scheduler's words where it has some: no node fits."""
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"{status.phase}: {condition.message or condition.reason}"
    reason = status.reason or status.message
    return f"{status.phase or 'Unknown'}: {reason}" if reason else str(status.phase)


def _of_container(container: ContainerStatus) -> str | None:
    state = container.state or ContainerState()
    waiting = state.waiting.reason if state.waiting is not None else None
    restarts = container.restart_count or 0
    if waiting in (None, "ContainerCreating", "PodInitializing") and not restarts:
        return None
    parts = [waiting] if waiting else []
    if restarts:
        parts.append(f"{restarts} restart{'s' if restarts > 1 else ''}")
    ended = (container.last_state or ContainerState()).terminated or state.terminated
    if ended is not None:
        parts.append(f"last ended {_ending(ended)}")
    return f"{container.name}: {', '.join(parts)}"


def _ending(ended: Ending) -> str:
    reason = ended.reason or "Error"
    is_told = reason not in ("Error", "Completed")
    said = reason if is_told else f"with exit status {ended.exit_code}"
    return f"{said} at {ended.finished_at}" if ended.finished_at else said


def _containers(status: PodStatus) -> Iterable[ContainerStatus]:
    yield from status.init_container_statuses or ()
    yield from status.container_statuses or ()


def latest_warning(events: Sequence[EventObject], pod: str) -> str | None:
    """Give the newest Warning event of a pod, as `Reason: message`."""
    about = [
        event
        for event in events
        if event.type == "Warning" and event.involved_object and event.involved_object.name == pod
    ]
    if not about:
        return None
    newest = max(about, key=_when)
    message = " ".join((newest.message or "").split())
    return f"{newest.reason}: {message}"


def _when(event: EventObject) -> str:
    seen = event.series.last_observed_time if event.series is not None else None
    return seen or event.last_timestamp or event.event_time or ""
