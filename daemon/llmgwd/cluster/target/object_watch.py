"""Watches one object by its name, where the role allows it, and says that what it asks for changed.

What it holds is read elsewhere: here only its `spec` (or a Secret's `data`) is compared with the
one before, since the status of a workload changes with each of its pods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

import anyio
import msgspec
from tenacity import wait_fixed, wait_random_exponential

from llmgwd.cluster.api_errors import Forbidden
from llmgwd.cluster.target.shared_watch import SharedWatch
from llmgwd.errors import LlmgwError
from llmgwd.system import foreign
from llmgwd.system.backoff import RetryWait

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.rest import Operation

# As for the watch of the pods: a dead one is noticed within a minute or so.
WATCH_S: Final = 50
_WATCH_GRACE_S: Final = 10
# A server that ends each watch at once must not be asked in a busy loop.
_AGAIN_S: Final = 1.0
# No event reports that a permission was granted. Meanwhile each use reads the object.
_RETRY_WAIT: Final = RetryWait(
    (Forbidden, wait_fixed(60.0)), (LlmgwError, wait_random_exponential(min=1.0, max=10.0))
)


class _Object(msgspec.Struct):
    spec: msgspec.Raw = msgspec.Raw(b"")
    data: msgspec.Raw = msgspec.Raw(b"")


class _Change(msgspec.Struct):
    type: str
    object: _Object


_CHANGES: Final = msgspec.json.Decoder(_Change)


class ObjectWatch:
    """Of one object in one namespace; `list_objects` is the library's operation on its kind.

    `changed` is called with each change, once at the beginning, as what was read before the watch
    began may be old, and when it breaks. Between two watches, `is_open` stays.
    """

    def __init__(
        self,
        access: ClusterAccess,
        list_objects: Operation,
        namespace: str,
        name: str,
        changed: Callable[[], None],
        watch_s: int = WATCH_S,
    ) -> None:
        self._access = access
        self._list_objects = list_objects
        self._namespace = namespace
        self._name = name
        self.is_open = False
        self._changed = changed
        self._watch_s = watch_s
        self._held: tuple[bytes, bytes] | None = None

    async def run(self) -> NoReturn:
        """Watch until cancelled. What keeps it from that is not reported: the pods' watch does."""
        failures = 0
        while True:
            try:
                await self.follow()
            except LlmgwError as error:
                if self.is_open:
                    self.is_open, failures = False, 0
                    self._changed()
                failures += 1
                await anyio.sleep(_RETRY_WAIT(error, failures))

    async def follow(self) -> NoReturn:
        """Watch until that breaks, or is not allowed: raises as `ClusterAccess.stream`."""
        while True:
            await self._watch()
            await anyio.sleep(_AGAIN_S)

    async def _watch(self) -> None:
        """Follow one watch to its end. Without a version it begins with what there is now."""
        watch = self._access.stream(
            self._list_objects,
            self._namespace,
            field_selector=f"metadata.name={self._name}",
            watch=True,
            timeout_seconds=self._watch_s,
            read_timeout_s=self._watch_s + _WATCH_GRACE_S,
        )
        async with watch as lines:
            self.is_open = True
            async for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            change = foreign.typed_json(line, _CHANGES)
        except foreign.Malformed:
            return
        if change.type == "ERROR":
            return
        found = change.object
        held = None if change.type == "DELETED" else (bytes(found.spec), bytes(found.data))
        if held != self._held:
            self._held = held
            self._changed()


class SharedObjectWatch(SharedWatch):
    """Of one object, for all that want it; its beginning is reported, and its break."""

    def __init__(
        self, access: ClusterAccess, list_objects: Operation, namespace: str, name: str
    ) -> None:
        super().__init__()
        self._of = access, list_objects, namespace, name
        self._watch: ObjectWatch | None = None

    @property
    def is_open(self) -> bool:
        return self._watch is not None and self._watch.is_open

    async def _hold(self) -> NoReturn:
        self._watch = ObjectWatch(*self._of, self._report)
        await self._watch.run()

    def _forget(self) -> None:
        self._watch = None
