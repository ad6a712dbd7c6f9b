"""What is known of a forward at one moment, and the errors that follow from it: plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.forwards.verdict import exposure


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one forward at one moment. `fallback` is the name of the route that is used instead."""

    is_stopped: bool = False  # by the user
    is_listening: bool = False
    is_route_up: bool = False
    listener_problems: tuple[LlmgwError, ...] = ()
    route_problems: tuple[LlmgwError, ...] = ()  # the preferred route's first
    health_problem: LlmgwError | None = None
    is_answer_open: bool = False  # the first question through the route is not answered yet
    fallback: str | None = None
    last_resort: LlmgwError | None = None  # a pod that is not ready is used
    is_peer_unknown: bool = False  # the system does not tell whose a connection is
    is_injection_refused: bool = False  # because of that
    key_problem: LlmgwError | None = None  # there is none to put into requests
    exposures: tuple[str, ...] = ()  # what the configuration lets others see, in sentences

    @property
    def is_serving(self) -> bool:
        return self.is_listening and self.is_route_up

    @property
    def is_port_blocked(self) -> bool:
        return any(isinstance(error, Blocked) for error in self.listener_problems)

    def problems(self) -> Iterable[LlmgwError]:
        """Give all that is wrong; of two errors of one kind the first counts."""
        yield from self.listener_problems
        yield from self.route_problems
        if self.is_route_up and self.fallback is not None:
            yield LlmgwError(
                ConditionKind.ON_FALLBACK, f"Connections go over {self.fallback} meanwhile"
            )
        if self.last_resort is not None:
            yield self.last_resort
        if self.is_peer_unknown or self.is_injection_refused:
            so = " So the key is not put into requests." if self.is_injection_refused else ""
            yield LlmgwError(
                ConditionKind.CLIENTS_UNCHECKED,
                "This system does not tell whose a connection is: every user of this machine can"
                f" use the port.{so}",
                "Take inject = true out of the configuration." if so else "",
            )
        if self.exposures:
            yield LlmgwError(ConditionKind.EXPOSED, " ".join(self.exposures), exposure.REMEDY)
        for problem in (self.health_problem, self.key_problem):
            if self.is_route_up and problem is not None:
                yield problem
