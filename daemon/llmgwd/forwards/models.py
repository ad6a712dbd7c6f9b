"""The models behind each forward: listed when it becomes ready, and when a client asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from llmgwctl.wire import SERVING_STATES, EventKind, ModelsStatus
from llmgwd.config.key_source import Command
from llmgwd.config.model import ProbeKind
from llmgwd.gateway.models import ModelList
from llmgwd.relay.byte_stream import connect_through

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from llmgwd.forwards.forward import Forward
    from llmgwd.forwards.keys import Keys
    from llmgwd.telemetry.event_journal import Journal


class ModelLists:
    """One list a forward, made anew when its routes or the key's source change.

    `forward` gives a forward by name, or None.
    """

    def __init__(self, keys: Keys, forward: Callable[[str], Forward | None]) -> None:
        self._keys = keys
        self._forward = forward
        self._lists: dict[str, tuple[object, ModelList]] = {}
        self._tasks: TaskGroup | None = None

    async def run(self, journal: Journal) -> None:
        """List the models of each forward that begins to serve."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                while True:
                    # A watcher that falls behind is ended: then anew.
                    async with journal.subscribe() as coming:
                        async for event in coming:
                            if event["kind"] == EventKind.STATE_CHANGED:
                                self._serves(event.get("forward", ""), event.get("state", ""))
            finally:
                self._tasks = None

    def _serves(self, name: str, state: str) -> None:
        # A command may ask a person for a password or a touch: never without being asked for.
        forward = self._forward(name)
        if forward is None or state not in SERVING_STATES:
            return
        if not isinstance(forward.config.key, Command):
            self._renew(forward, self._of(forward))

    def status(self, forward: Forward) -> ModelsStatus:
        """Give what is known right now, and have it renewed where it is old."""
        known = self._of(forward)
        self._renew(forward, known)
        return {"models": list(known.names), "age_s": known.age_s}

    def _of(self, forward: Forward) -> ModelList:
        made_of = (forward.config.key, forward.config.routes)
        known = self._lists.get(forward.name)
        if known is None or known[0] != made_of:
            known = (
                made_of,
                ModelList(
                    lambda: self._keys.key(forward),
                    lambda key, verdict: self._keys.judged(forward, key, verdict),
                ),
            )
            self._lists[forward.name] = known
        return known[1]

    def _renew(self, forward: Forward, known: ModelList) -> None:
        """Ask only a gateway that is known to be a LiteLLM: the key goes to no other."""
        route = forward.routes.usable
        is_litellm = forward.config.probe.kind is ProbeKind.LITELLM
        is_litellm = is_litellm and forward.health.result.healthy is True
        if route is not None and is_litellm and self._tasks is not None and known.is_due():
            self._tasks.start_soon(known.renew, lambda: connect_through(route))
