"""A watch that several routes want is held once: the first that comes holds it, then the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import anyio

from llmgwd.errors import LlmgwError


class SharedWatch:
    """Reports to its followers that there is news; what is new stands in its attributes.

    It has no task of its own, and so ends with the last that wants it: all of them call `run`, in
    which one holds the watch and the others wait until that one leaves, or the watch fails.
    """

    def __init__(self) -> None:
        self._followers: list[Callable[[], None]] = []
        self._holding = anyio.Lock()
        self._error: LlmgwError | None = None
        self._failures = 0

    @contextmanager
    def followed(self, report: Callable[[], None]) -> Iterator[None]:
        """Call `report` at each piece of news while the block lasts."""
        self._followers.append(report)
        try:
            yield
        finally:
            self._followers.remove(report)

    async def run(self) -> NoReturn:
        """Hold the watch, or wait for the one that does; its failure is everyone's.

        Raises:
            LlmgwError: what kept the watch from going on.
        """
        before = self._failures
        async with self._holding:
            if self._error is not None and self._failures > before:
                raise self._error
            try:
                await self._hold()
            except LlmgwError as error:
                self._error = error
                self._failures += 1
                self._forget()
                raise
            finally:
                if not self._holding.statistics().tasks_waiting:
                    self._forget()

    async def _hold(self) -> NoReturn:
        """Watch for ever; a holder that follows another begins with what that one knew."""
        raise NotImplementedError

    def _forget(self) -> None:
        """No one watches any more: what was known is no longer true."""
        raise NotImplementedError

    def _report(self) -> None:
        for report in tuple(self._followers):
            report()
