"""Tells when a file changes, appears or goes, be it a link, in a folder that is not there yet, or
on a file system that sends no word.

Folders are watched, because files are replaced more often than written; what counts in the end is
each file's own mark.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NoReturn

import anyio
import structlog
from watchfiles import awatch

from llmgwd.system.file_stamp import Mark, mark

# Looked at this often without any word from the system: a change in the moment before the watch
# stood, one inside a folder that is followed, network file systems, and watches that the kernel
# refused because there are too many.
LOOK_S: Final = 2.0
# A file is read when it has kept still for this long: editors and tools write in several steps.
STILL_S: Final = 0.1
_LINKS_DEEP: Final = 8

_log = structlog.get_logger()


class WatchedFiles:
    """All files that anybody rests on, each with who is to be told."""

    def __init__(self) -> None:
        self._followers: dict[object, tuple[frozenset[str], Callable[[], None]]] = {}
        self._marks: dict[str, Mark] = {}
        self._wanted_changed = anyio.Event()

    def follow(self, follower: object, paths: Iterable[str], changed: Callable[[], None]) -> None:
        """Call `changed` when one of these changes; replaces what the follower named before."""
        files = frozenset(os.path.abspath(path) for path in paths)
        known = self._followers.get(follower)
        self._followers[follower] = (files, changed)
        if known is None or known[0] != files:
            for file in files - self._marks.keys():
                self._marks[file] = mark(file)
            self._wanted_changed.set()

    def forget(self, follower: object) -> None:
        self._followers.pop(follower, None)

    async def run(self) -> NoReturn:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_when_cancelled)
            await self._watch_for_ever()
        raise AssertionError("watching never ends by itself")

    async def _stop_when_cancelled(self) -> None:
        """Free the thread that waits for the system's word: a cancellation alone does not."""
        try:
            await anyio.sleep_forever()
        finally:
            self._wanted_changed.set()

    async def _watch_for_ever(self) -> NoReturn:
        while True:
            self._wanted_changed = anyio.Event()
            folders = _folders(self._files())
            try:
                await self._watch(folders)
            except OSError as error:
                _log.warning("files are polled", reason=error.strerror or str(error))
                await self._poll()

    async def _watch(self, folders: set[str]) -> None:
        """Look whenever the system says that something happened; until other folders count."""
        if not folders:
            await self._wanted_changed.wait()
            return
        words = awatch(
            *folders,
            watch_filter=None,
            stop_event=self._wanted_changed,
            recursive=False,
            step=50,
            debounce=200,
            rust_timeout=int(LOOK_S * 1000),
            yield_on_timeout=True,
        )
        async for _ in words:
            await self._look()
            if _folders(self._files()) != folders:
                return

    async def _poll(self) -> None:
        while not self._wanted_changed.is_set():
            with anyio.move_on_after(LOOK_S / 2):
                await self._wanted_changed.wait()
            await self._look()

    async def _look(self) -> None:
        changed = self._changed()
        while changed:
            await anyio.sleep(STILL_S)
            more = self._changed()
            if not more:
                break
            changed |= more
        for files, tell in list(self._followers.values()):
            if files & changed:
                tell()

    def _changed(self) -> set[str]:
        marks = {file: mark(file) for file in self._files()}
        changed = {file for file, now in marks.items() if now != self._marks.get(file, now)}
        self._marks = marks
        return changed

    def _files(self) -> set[str]:
        return {file for files, _ in self._followers.values() for file in files}


def _folders(files: Iterable[str]) -> set[str]:
    """The folders in which a change could change one of the files."""
    return {_nearest(folder) for file in files for folder in _folders_of(Path(file))}


def _folders_of(file: Path) -> set[Path]:
    """Of a link, its own folder and that of each place it leads to."""
    folders = set()
    for _ in range(_LINKS_DEEP):
        folders.add(file.parent)
        folders.add(file.parent.resolve())
        if not file.is_symlink():
            break
        file = file.parent / file.readlink()
    return folders


def _nearest(folder: Path) -> str:
    """The folder itself, or what is there of the way to it."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return str(folder)
