"""Pods that refused a connection, and how each is asked whether it takes one again.

Asking costs the pod an accepted connection and not one byte: a stream is opened and left silent.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Transient
from llmgwd.tunnel.stream import OwnStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.errors import LlmgwError
    from llmgwd.tunnel.tunnel import Tunnel

# SPDY has no frame for "the pod was reached". A refusal comes within a round trip and the dial,
# which is local to the pod's node; silence for this long once the peer was heard is a yes.
_SILENCE_S: Final = 0.15
# A pod that refused is asked again this soon, and then this often.
REST_S: Final = 0.25
REST_LONG_S: Final = 1.0
REST_LONG_AFTER: Final = 20


def yes_after_s(tunnel: Tunnel) -> float:
    """How long a pod is silent, once the peer was heard, that has taken a stream.

    A round trip more, since what is far away is uneven, too.
    """
    return _SILENCE_S + (tunnel.liveness.round_trip_s or 0.0)


class DialProbe(OwnStream):
    """The owner of streams that carry nothing; one at a time, for one endpoint."""

    def __init__(self, endpoint: Endpoint, now: float) -> None:
        self.endpoint = endpoint
        self._tries = 0
        self._due_at = now + REST_S
        self._tunnel: Tunnel | None = None
        self._asked_at = 0.0
        self._look_at = 0.0
        self._has_greeted = False

    def is_due(self, now: float) -> bool:
        return self._stream is None and now >= self._due_at

    def has_succeeded(self, now: float) -> bool:
        """Has the pod taken the stream? If that is not known yet, it is looked at again later."""
        if self._stream is None or self._tunnel is None or now < self._look_at:
            return False
        heard_at = self._tunnel.liveness.heard_at
        was_heard = heard_at > self._asked_at
        silence_s = yes_after_s(self._tunnel)
        if self._has_greeted or (was_heard and now >= heard_at + silence_s):
            return True
        self._look_at = (heard_at if was_heard else now) + silence_s
        return False

    def next_at(self) -> float:
        """Return when there is something to do or to conclude."""
        return self._due_at if self._stream is None else self._look_at

    def tried(self, now: float) -> None:
        """A tunnel is dialled, or a stream opened, to find out; not again before a rest."""
        self._tries += 1
        self._due_at = now + (REST_S if self._tries < REST_LONG_AFTER else REST_LONG_S)

    def ask(self, tunnel: Tunnel, now: float) -> None:
        self.tried(now)
        self._tunnel, self._asked_at = tunnel, now
        self._look_at = now + yes_after_s(tunnel)
        self._has_greeted = False
        tunnel.open(self)
        tunnel.ping(now)

    # As the owner of a stream.

    def stream_data(self, payload: bytes) -> None:
        """It even greets."""
        self._has_greeted = True
        self._look_at = 0.0

    def stream_ended(self) -> None:
        self._stream = None

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        self._stream = None


class Ejections:
    """The endpoints that take no new stream for now, each with its probe."""

    def __init__(self) -> None:
        self.cause: LlmgwError = Transient(
            ConditionKind.DIAL_REFUSED, "The pod refused the connection."
        )
        self._probes: dict[Endpoint, DialProbe] = {}

    def __len__(self) -> int:
        return len(self._probes)

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._probes

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._probes)

    def add(self, endpoint: Endpoint, cause: LlmgwError, now: float) -> None:
        self._probes[endpoint] = DialProbe(endpoint, now)
        self.cause = cause

    def keep_to(self, endpoints: Collection[Endpoint]) -> None:
        """Forget those that are no endpoint of the route any more."""
        for endpoint in [each for each in self._probes if each not in endpoints]:
            self._probes.pop(endpoint).close()

    def probe(self, endpoint: Endpoint) -> DialProbe | None:
        return self._probes.get(endpoint)

    def tend(self, idle_to: Callable[[Endpoint], Tunnel | None], now: float) -> bool:
        """Ask those that are due; return whether one takes connections again."""
        is_any_back = False
        for probe in list(self._probes.values()):
            if probe.has_succeeded(now):
                self._probes.pop(probe.endpoint, None)
                probe.close()
                is_any_back = True
            elif probe.is_due(now) and (tunnel := idle_to(probe.endpoint)) is not None:
                probe.ask(tunnel, now)
        return is_any_back

    def next_at(self) -> float:
        return min((probe.next_at() for probe in self._probes.values()), default=inf)
