"""A watch of pods: one line in, what it changes out. Pure.

A line that is no event, or one of a bad object, changes nothing and harms no one else's: the
watch goes on, and a later list has the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from llmgwd.cluster.target import objects
from llmgwd.cluster.target.pods import Pod, parse_pod
from llmgwd.system import foreign


@dataclass(frozen=True, slots=True)
class Change:
    """`pod` is new or altered; without it the one called `gone` is, or nothing but the version."""

    version: str
    pod: Pod | None = None
    gone: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The server ends the watch; `body` is its Status."""

    status: int
    body: bytes


class _Version(msgspec.Struct, rename="camel"):
    resource_version: objects.Text


class _Bookmarked(msgspec.Struct):
    """A BOOKMARK's object has a version and no name."""

    metadata: _Version


class _Refusal(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500


_EVENTS: Final = msgspec.json.Decoder(objects.WatchEvent)
_PODS: Final = msgspec.json.Decoder(objects.PodObject)
_BOOKMARKS: Final = msgspec.json.Decoder(_Bookmarked)
_REFUSALS: Final = msgspec.json.Decoder(_Refusal)


def read(line: bytes) -> Change | Failed | None:
    """Read one line; None: it is bad, and nothing follows from it."""
    try:
        event = foreign.typed_json(line, _EVENTS)
        body = bytes(event.object)
        if event.type == "ERROR":
            return Failed(_status(body), body)
        if event.type == "BOOKMARK":
            return Change(foreign.typed_json(body, _BOOKMARKS).metadata.resource_version)
        item = foreign.typed_json(body, _PODS)
    except foreign.Malformed:
        return None
    version = item.metadata.resource_version or ""
    if event.type == "DELETED":
        return Change(version, gone=item.metadata.name)
    if event.type in ("ADDED", "MODIFIED"):
        return Change(version, parse_pod(item))
    return None


def _status(body: bytes) -> int:
    try:
        return foreign.typed_json(body, _REFUSALS).code
    except foreign.Malformed:
        return 500
