"""Reads kubeconfig files: which ones, each parsed once and off the loop, and merged by kubectl's
rule.

Not by the Kubernetes library: its merger (36.1) parses every file again with the slow parser, on
the caller's thread, and takes the last current-context where kubectl takes the first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.to_thread

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.kubeconfig import parsing
from llmgwd.cluster.kubeconfig.kubeconfig import SECTIONS, Entry, Kubeconfig, check_document, choose
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.system import foreign
from llmgwd.system.files.file_stamp import mark
from llmgwd.system.process import child_process
from llmgwd.system.process.descriptors import raise_if_exhausted

# From here on a child's start (30 ms) is less than what a thread would hold the loop up: the C
# parser takes 10 ms for this much, the Python parser twenty times as long.
LARGE_BYTES: Final = 256 << 10 if parsing.IS_FAST else 8 << 10
# Hundreds of clusters, each with its authority in it.
MAX_BYTES: Final = 16 << 20
_PARSE_S: Final = 20.0
_MAX_JSON_BYTES: Final = 64 << 20

Document = Mapping[str, Any]


@dataclass(slots=True)
class _Reading:
    """A file that is being read, for those that want the same one meanwhile."""

    is_done: anyio.Event = field(default_factory=anyio.Event)
    document: Document | None = None
    error: LlmgwError | None = None


# By the file and its stamp: a rewrite wakes every forward of a cluster at once.
_under_way: dict[object, _Reading] = {}


def kubeconfig_paths(kubeconfig: str | None, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The files a kubeconfig may be in, present or not: as given, else KUBECONFIG, else the
    default place.
    """
    text = kubeconfig or environment.get("KUBECONFIG") or "~/.kube/config"
    return tuple(os.path.expanduser(path) for path in text.split(os.pathsep) if path)


async def read_kubeconfig(paths: Sequence[str], context: str | None) -> Kubeconfig:
    """Read and merge the files that exist, and choose a context.

    Raises:
        Blocked: no kubeconfig, one with a mistake, no such context.
    """
    present = await anyio.to_thread.run_sync(_existing, paths)
    if not present:
        raise Blocked(
            ConditionKind.KUBECONFIG_MISSING,
            f"there is no kubeconfig: looked at {', '.join(paths)}",
            "Log in to the cluster as its people say, or set KUBECONFIG.",
        )
    documents = {path: await _document(path) for path in present}
    current = next(
        (str(found) for each in documents.values() if (found := each.get("current-context"))), ""
    )
    return choose(present, merge(documents), current, context)


def merge(documents: Mapping[str, Document]) -> dict[str, dict[str, Entry]]:
    """Each section's entries by name; the first file to name one wins. Pure."""
    merged: dict[str, dict[str, Entry]] = {section: {} for section in SECTIONS}
    for path, document in documents.items():
        for section, inner in SECTIONS.items():
            for item in document.get(section) or ():
                name = item.get("name") or ""
                entry = Entry(f"{path}: {inner} {name}", path, item.get(inner) or {})
                merged[section].setdefault(name, entry)
    return merged


def _existing(paths: Sequence[str]) -> tuple[str, ...]:
    # The null device is how a person says: no file.
    return tuple(path for path in paths if path != os.devnull and os.path.exists(path))


async def _document(path: str) -> Document:
    """Read a file, or wait for another task that reads it just as it is."""
    key = path, await anyio.to_thread.run_sync(mark, path)
    while (other := _under_way.get(key)) is not None:
        await other.is_done.wait()
        if other.error is not None:
            raise other.error
        if other.document is not None:
            return other.document
        # It was cancelled: read the file in its place.
    reading = _under_way[key] = _Reading()
    try:
        reading.document = check_document(path, await _parsed(path))
    except LlmgwError as error:
        reading.error = error
        raise
    finally:
        del _under_way[key]
        reading.is_done.set()
    return reading.document


async def _parsed(path: str) -> object:
    try:
        is_large = os.stat(path).st_size > LARGE_BYTES
        if is_large and (found := await _by_child(path)) is not None:
            return found
        return await anyio.to_thread.run_sync(parsing.read, path, MAX_BYTES)
    except parsing.NotYaml as mistake:
        where = f"{path}:{mistake.where}" if mistake.where else path
        raise Blocked(
            ConditionKind.KUBECONFIG_INVALID,
            f"{where}: not YAML: {mistake.problem}",
            "Correct the file.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise_if_exhausted(error)
        words = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Blocked(
            ConditionKind.KUBECONFIG_INVALID, f"{path}: cannot read: {words}", "Correct the file."
        ) from error


async def _by_child(path: str) -> object:
    """Have a process of its own parse the file; None where that did not work."""
    # -P: without the current folder, in which anything may lie.
    command = [sys.executable, "-P", "-m", parsing.__name__, str(MAX_BYTES), path]
    try:
        ended = await child_process.run(
            command, within_s=_PARSE_S, max_output_bytes=_MAX_JSON_BYTES
        )
    except (OSError, child_process.StillRunning):
        return None
    if ended.status != 0:
        return None
    try:
        printed = foreign.json(ended.stdout)
    except foreign.Malformed:
        return None
    if "mistake" in printed:
        raise parsing.NotYaml(*printed["mistake"])
    return printed["document"]
