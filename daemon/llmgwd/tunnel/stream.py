"""One forwarded connection inside a tunnel, as the two sides of it see each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmgwctl.wire import ConditionKind
from llmgwd.errors import LlmgwError, Transient

if TYPE_CHECKING:
    from llmgwd.relay.route import Stream


# Error texts are one sentence; what is longer is cut.
MAX_ERROR_TEXT_BYTES: Final = 4096


class OwnStream:
    """The base of owners that are no connections: the daemon itself asks, a few bytes at a time."""

    is_demand = False
    preferred_pod = None
    avoided_pod = None
    _stream: Stream | None = None

    def unsent(self, pod: str | None) -> bytes:
        return b""

    def stream_opened(self, stream: Stream) -> None:
        self._stream = stream

    def close(self) -> None:
        if self._stream is not None:
            self._stream.discard()
            self._stream = None

    def unread_bytes(self) -> int:
        return 0

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...


# What the runtimes say when they could not reach the port, so that no one received a byte:
# containerd and CRI-O over a network namespace, dockershim and CRI-O over socat, the kubelet
# itself. Anything else on the error stream may have come after the pod had read something.
_DIAL_FAILURES = (
    "connection refused",
    "failed to connect to localhost",
    "dial tcp",
    "connect: no route to host",
    "failed to find sandbox",
    "is not running",
    "network namespace closed",
    "unable to find",
    "pod not found",
    "does not exist",
)


def failure_from_text(text: str, has_answered: bool, pod: str) -> tuple[LlmgwError, bool]:
    """Judge the error stream: what went wrong, and is it proved that no one received a byte?"""
    lowered = text.lower()
    is_dial_failure = any(phrase in lowered for phrase in _DIAL_FAILURES)
    if is_dial_failure and not has_answered:
        refused = "The pod refused the connection."
        return Transient(ConditionKind.DIAL_REFUSED, _refusal(text, pod), public=refused), True
    broken = "The pod's connection broke"
    lost = Transient(ConditionKind.TUNNEL_LOST, f"{broken}: {text}", public=f"{broken}.")
    return lost, False


# How the kubelet begins: "error forwarding port 4000 to pod SANDBOX, uid : <cause>". With
# containerd and CRI-O the pod is named by its sandbox, a hash that means nothing to a person.
_FORWARDING = re.compile(r"(?:error )?forwarding port (\d+) to pod [^,\s]+, uid [^:]*: *")


def _refusal(text: str, pod: str) -> str:
    """Say in few words what the runtime says in three lines."""
    match = _FORWARDING.search(text)
    if match is not None and "connection refused" in text:
        return f"Pod {pod} refused the connection: nothing listens on port {match[1]}."
    if match is not None and "failed to find sandbox" in text:
        return f"Pod {pod} is gone."
    return f"Pod {pod} refused the connection: {_FORWARDING.sub('', text)}"
