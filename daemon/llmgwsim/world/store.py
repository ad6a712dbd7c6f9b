"""The simulated cluster's objects and the log of their changes, as etcd keeps them.

Objects are the plain JSON that the API serves. What is stored is a copy and never edited, so that
a change in the log stays what it was.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

Object = dict[str, Any]
ChangeKind = Literal["ADDED", "MODIFIED", "DELETED"]

# etcd is compacted every five minutes; here the log is as long as a long chaos run needs.
_LOG_CHANGES = 5000


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    resource: str
    kind: ChangeKind
    object: Object
    # What the object was before: a watch with a selector says DELETED when it stops matching.
    before: Object | None


class Compacted(Exception):
    """The log no longer reaches back to the version that was asked for (410 Gone)."""


class Store:
    def __init__(self) -> None:
        self.version = 1000
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._log: deque[Change] = deque(maxlen=_LOG_CHANGES)
        self._compacted_version = self.version
        self._news = asyncio.Event()

    def put(self, resource: str, item: Object) -> Object:
        """Store an object (a copy of it), by its own namespace and name; return the stored one."""
        stored = copy.deepcopy(item)
        metadata = stored["metadata"]
        key = (resource, metadata.get("namespace", ""), metadata["name"])
        before = self._objects.get(key)
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        self._objects[key] = stored
        self._record(
            Change(self.version, resource, "MODIFIED" if before else "ADDED", stored, before)
        )
        return stored

    def remove(self, resource: str, namespace: str, name: str) -> Object | None:
        before = self._objects.pop((resource, namespace, name), None)
        if before is None:
            return None
        self.version += 1
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._record(Change(self.version, resource, "DELETED", last, before))
        return last

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        return self._objects.get((resource, namespace, name))

    def items(self, resource: str, namespace: str | None = None) -> list[Object]:
        return [
            item
            for (kind, place, _), item in sorted(self._objects.items(), key=lambda pair: pair[0])
            if kind == resource and namespace in (None, place)
        ]

    def changes_since(self, version: int) -> list[Change]:
        """The changes after a version, oldest first.

        Raises:
            Compacted: the log does not reach back that far.
        """
        if version < self._compacted_version:
            raise Compacted(str(version))
        recent: list[Change] = []
        for change in reversed(self._log):
            if change.version <= version:
                break
            recent.append(change)
        return recent[::-1]

    def compact(self) -> None:
        """Forget the log: a request for an older version gets 410 Gone."""
        self._log.clear()
        # One further, so that even a watcher that is up to date must list again.
        self.version += 1
        self._compacted_version = self.version
        self._announce()

    @property
    def news(self) -> asyncio.Event:
        """Set at the next change; take it before reading, wait after."""
        return self._news

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._news.wait()

    def wake(self) -> None:
        """Wake all that wait for a change."""
        self._announce()

    def _record(self, change: Change) -> None:
        if len(self._log) == self._log.maxlen:
            self._compacted_version = self._log[0].version
        self._log.append(change)
        self._announce()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
