"""What is wrong with a pod, in words, from its JSON and its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmgwd.cluster.pods import is_ready


def trouble(pod: Mapping[str, Any]) -> str | None:
    """Say in one phrase why a pod cannot be used, or could not lately; None when all is well."""
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "terminating"
    found = [words for each in _containers(status) if (words := _of_container(each))]
    if found:
        return "; ".join(found)
    if status.get("phase") != "Running":
        return _phase(status)
    return None if is_ready(status) else "running, not Ready"


def _phase(status: Mapping[str, Any]) -> str:
    """Give the phase, with the scheduler's words where it has some: no node fits."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{status.get('phase')}: {condition.get('message') or condition.get('reason')}"
    reason = status.get("reason") or status.get("message")
    return f"{status.get('phase', 'Unknown')}: {reason}" if reason else str(status.get("phase"))


def _of_container(container: Mapping[str, Any]) -> str | None:
    state = container.get("state") or {}
    waiting = (state.get("waiting") or {}).get("reason")
    restarts = container.get("restartCount", 0)
    if waiting in (None, "ContainerCreating", "PodInitializing") and not restarts:
        return None
    parts = [waiting] if waiting else []
    if restarts:
        parts.append(f"{restarts} restart{'s' if restarts > 1 else ''}")
    ended = (container.get("lastState") or {}).get("terminated") or state.get("terminated")
    if ended:
        parts.append(f"last ended {_ending(ended)}")
    return f"{container.get('name')}: {', '.join(parts)}"


def _ending(ended: Mapping[str, Any]) -> str:
    code = ended.get("exitCode")
    reason = ended.get("reason") or "Error"
    said = reason if reason not in ("Error", "Completed") else f"with exit status {code}"
    at = ended.get("finishedAt")
    return f"{said} at {at}" if at else said


def is_serious(pod: Mapping[str, Any]) -> bool:
    """Tell a pod that cannot serve from one that restarted and is well again."""
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    return bool(metadata.get("deletionTimestamp")) or not is_ready(status)


def _containers(status: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def latest_warning(events: Sequence[Mapping[str, Any]], pod: str) -> str | None:
    """Give the newest Warning event of a pod, as `Reason: message`."""
    about = [
        event
        for event in events
        if event.get("type") == "Warning" and (event.get("involvedObject") or {}).get("name") == pod
    ]
    if not about:
        return None
    newest = max(about, key=_when)
    message = " ".join(str(newest.get("message") or "").split())
    return f"{newest.get('reason')}: {message}"


def _when(event: Mapping[str, Any]) -> str:
    series = event.get("series") or {}
    seen = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((str(time) for time in seen if time), "")
