"""Reports when a file changes, appears or goes, be it a link, in a folder that is not there yet, or
on a file system that reports no changes.

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

from llmgwd.system.aligned import until_next
from llmgwd.system.files.file_stamp import Mark, mark
from llmgwd.system.files.inotify import Inotify
from llmgwd.system.wakeup import Wakeup

# Where the kernel sends words, they are looked at without one this often: network file systems
# send none for what another machine changes.
LOOK_S: Final = 10.0
# Where it sends none: macOS, and a user who has too many watches.
POLL_S: Final = 2.0
POLLS_TOGETHER: Final = 30
# In a folder in which something changes all the time, this is how often it is looked at.
WORDS_TOGETHER_S: Final = 0.1
# A file is read when it has kept still for this long: editors and tools write in several steps.
STILL_S: Final = 0.1
# One that never does, a log, must not keep the others from being reported.
LOOKS_UNTIL_STILL: Final = 20
_LINKS_DEEP: Final = 8

_log = structlog.get_logger()


class WatchedFiles:
    """All files that anything rests on, each with what to call when it changes."""

    def __init__(self) -> None:
        self._followers: dict[object, tuple[frozenset[str], Callable[[], None]]] = {}
        self._marks: dict[str, Mark] = {}
        self._wakeup = Wakeup()

    def follow(self, follower: object, paths: Iterable[str], changed: Callable[[], None]) -> None:
        """Call `changed` when one of these changes; replaces what the follower named before."""
        files = frozenset(os.path.abspath(path) for path in paths)
        known = self._followers.get(follower)
        self._followers[follower] = (files, changed)
        if known is None or known[0] != files:
            for file in files - self._marks.keys():
                self._marks[file] = mark(file)
            self._wakeup.set()

    def forget(self, follower: object) -> None:
        self._followers.pop(follower, None)

    async def run(self) -> NoReturn:
        while True:
            try:
                with Inotify() as inotify:
                    await self._watch(inotify)
            except* OSError as errors:
                _log.info("files are polled", reason=str(errors.exceptions[0]))
            await self._poll()

    async def _watch(self, inotify: Inotify) -> NoReturn:
        """Look whenever the system says that something happened.

        Raises:
            OSError: the kernel allows no more watches.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, inotify)
            while True:
                # Anew each time: what changed may be a folder that was not there, or a link. Then
                # a look: something may have changed before the watch stood.
                inotify.watch(_folders(self._files()))
                await self._look()
                await self._wakeup.wait(until_next(LOOK_S))
        raise AssertionError("unreachable")

    async def _listen(self, inotify: Inotify) -> NoReturn:
        while True:
            await anyio.wait_readable(inotify.fileno())
            await anyio.sleep(WORDS_TOGETHER_S)
            inotify.drain()
            self._wakeup.set()

    async def _poll(self) -> None:
        """Look often, for a while: what kept us from a watch may have passed."""
        for _ in range(POLLS_TOGETHER):
            await self._look()
            await self._wakeup.wait(POLL_S)

    async def _look(self) -> None:
        changed = more = self._changed()
        for _ in range(LOOKS_UNTIL_STILL):
            if not more:
                break
            await anyio.sleep(STILL_S)
            more = self._changed()
            changed |= more
        for files, report in list(self._followers.values()):
            if files & changed:
                report()

    def _changed(self) -> set[str]:
        marks = {file: mark(file) for file in self._files()}
        changed = {file for file, now in marks.items() if now != self._marks.get(file, now)}
        self._marks = marks
        return changed

    def _files(self) -> set[str]:
        return {file for files, _ in self._followers.values() for file in files}


def _folders(files: Iterable[str]) -> set[str]:
    """Give the folders in which a change could change one of the files."""
    return {_nearest(folder) for file in files for folder in _folders_of(Path(file))}


def _folders_of(file: Path) -> set[Path]:
    """Give a file's folder; of a link, that of each place it leads to; of a folder, itself too."""
    folders = {file} if file.is_dir() else set()
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
