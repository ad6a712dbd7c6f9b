"""The one rule for running out of descriptors: how it is recognised, worded, noticed and ended."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, NoReturn

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Transient
from llmgwd.system.aligned import until_next
from llmgwd.system.wakeup import Wakeup

# While they are used up, and while all is well: most who run out of them call `note`.
LOOK_AGAIN_S: Final = 1.0
LOOK_S: Final = 30.0
# So many must be free before it is called over: one connection takes two, a login plugin four.
ROOM: Final = 8


class Descriptors:
    """`changed` is called when they are used up, and when there is room again."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.are_exhausted = False
        self._changed = changed
        self._wakeup = Wakeup()

    def note(self, error: BaseException | None) -> bool:
        """Take note of an error from anywhere; say whether it was of this kind."""
        if is_exhaustion(error):
            self._set(True)
            return True
        return False

    async def run(self) -> NoReturn:
        while True:
            if self.are_exhausted:
                await anyio.sleep(LOOK_AGAIN_S)
            elif await self._wakeup.wait(until_next(LOOK_S)):
                # Noted a moment ago: whether there is room again is seen in a second.
                continue
            # One is enough while all is well; after an exhaustion there has to be some room.
            self._set(not has_room(ROOM if self.are_exhausted else 1))

    def _set(self, are_exhausted: bool) -> None:
        if are_exhausted != self.are_exhausted:
            self.are_exhausted = are_exhausted
            if are_exhausted:
                self._wakeup.set()
            self._changed()


def has_room(count: int) -> bool:
    """Try whether so many more can be opened."""
    with ExitStack() as opened:
        try:
            for _ in range(count):
                descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
                opened.callback(os.close, descriptor)
        except OSError:
            return False
    return True


def is_exhaustion(error: BaseException | None) -> bool:
    """Did the call fail because this process, or the system, can open nothing more?"""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def exhausted() -> Transient:
    """Word the condition of a process that can open nothing more."""
    return Transient(
        ConditionKind.DESCRIPTORS_EXHAUSTED,
        "The daemon has as many files and connections open as the system allows it.",
        "Raise the limit (LimitNOFILE= in the unit, ulimit -n), or close some clients.",
    )


def raise_if_exhausted(error: Exception) -> None:
    """Call first in an `except`: with no descriptor left, neither peer nor file is at fault.

    Raises:
        Transient: the error is of that kind.
    """
    if is_exhaustion(error):
        raise exhausted() from error
