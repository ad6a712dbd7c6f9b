"""Watches: the change log as a stream of events, with bookmarks, selectors and 410."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmgwsim.api import answers
from llmgwsim.api.discovery import Kind, table
from llmgwsim.api.selectors import matches
from llmgwsim.world.store import Change, Compacted, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.api.behaviour import Behaviour
    from llmgwsim.net.request import Request

Object = dict[str, Any]


@dataclass(slots=True)
class Watch:
    """One watch; `show` puts the kind on an object."""

    request: Request
    store: Store
    behaviour: Behaviour
    kind: Kind
    namespace: str | None
    show: Callable[[Object], Object]
    is_table: bool
    has_columns: bool = True

    async def serve(self) -> None:
        asked = self.request.argument("resourceVersion")
        wants_list = self.request.flag("sendInitialEvents")
        from_now = asked in ("", "0") or wants_list
        version = self.store.version if from_now else int(asked)
        if not from_now and not await self._has_log(version):
            return
        self.request.start(200, {"content-type": "application/json"})
        if from_now:
            await self._send_list(version, wants_list)
        await self._follow(version)
        self.request.finish()

    async def _has_log(self, version: int) -> bool:
        """Refuse a version that is too old, by status where the switch says so."""
        try:
            self.store.changes_since(version)
        except Compacted:
            if self.behaviour.gone_as == "http":
                self.request.respond_json(410, answers.gone(str(version)))
                return False
        return True

    async def _send_list(self, version: int, ends_with_bookmark: bool) -> None:
        for item in self.store.items(self.kind.plural, self.namespace):
            if self._matches(item):
                await self._send("ADDED", item)
        if ends_with_bookmark:
            await self._bookmark(version, {"k8s.io/initial-events-end": "true"})

    async def _follow(self, version: int) -> None:
        loop = asyncio.get_running_loop()
        epoch = self.behaviour.watch_epoch
        # The server's own limit is between 30 and 60 minutes.
        deadline = loop.time() + float(self.request.argument("timeoutSeconds", "1800"))
        next_bookmark = loop.time() + self.behaviour.bookmark_s
        while loop.time() < deadline and epoch == self.behaviour.watch_epoch:
            news = self.store.news
            if not self.behaviour.hangs_watches:
                try:
                    version = await self._send_changes(version)
                except Compacted:
                    event = {"type": "ERROR", "object": answers.gone(str(version))}
                    await self.request.send(json.dumps(event).encode() + b"\n")
                    return
                if loop.time() >= next_bookmark:
                    next_bookmark = loop.time() + self.behaviour.bookmark_s
                    if self.request.flag("allowWatchBookmarks"):
                        await self._bookmark(version)
            limit_s = min(deadline, max(next_bookmark, loop.time() + 0.05)) - loop.time()
            try:
                await asyncio.wait_for(news.wait(), max(limit_s, 0))
            except TimeoutError:
                continue

    async def _send_changes(self, version: int) -> int:
        for change in self.store.changes_since(version):
            if change.resource == self.kind.plural:
                await self._send_change(change)
            version = change.version
        return version

    async def _send_change(self, change: Change) -> None:
        place = change.object["metadata"].get("namespace", "")
        if self.namespace is not None and place != self.namespace:
            return
        before = change.before is not None and self._matches(change.before)
        after = change.kind != "DELETED" and self._matches(change.object)
        if before and after:
            await self._send("MODIFIED", change.object)
        elif after:
            await self._send("ADDED", change.object)
        elif before:
            await self._send("DELETED", change.object)

    def _matches(self, item: Object) -> bool:
        labels = self.request.argument("labelSelector")
        return matches(item, labels, self.request.argument("fieldSelector"))

    async def _send(self, kind: str, item: Object) -> None:
        shown = self.show(item)
        if self.is_table:
            version = item["metadata"]["resourceVersion"]
            shown = table(self.kind.plural, [shown], version, self.has_columns)
            self.has_columns = False
        line = json.dumps({"type": kind, "object": shown}, separators=(",", ":"))
        await self.request.send(line.encode() + b"\n")

    async def _bookmark(self, version: int, annotations: dict[str, str] | None = None) -> None:
        meta: Object = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        item: Object = {"kind": self.kind.kind, "apiVersion": self.kind.api_version}
        item["metadata"] = meta
        if self.is_table:
            item = table(self.kind.plural, [], str(version), False) | {"metadata": meta}
        line = json.dumps({"type": "BOOKMARK", "object": item}, separators=(",", ":"))
        await self.request.send(line.encode() + b"\n")
