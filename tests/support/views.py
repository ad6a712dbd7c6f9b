"""The views that a followed target is told in, and how to wait for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.cluster.target.pods import TargetView


class Views:
    """The views as they are told; waiting for one that fits ends after 10 s."""

    def __init__(self) -> None:
        self.told: list[TargetView] = []
        self._wakeup = anyio.Event()

    def __call__(self, view: TargetView) -> None:
        self.told.append(view)
        self._wakeup.set()
        self._wakeup = anyio.Event()

    async def until(self, fits: Callable[[TargetView], bool]) -> TargetView:
        with anyio.fail_after(10):
            while not self.told or not fits(self.told[-1]):
                await self._wakeup.wait()
        return self.told[-1]

    async def names(self, *names: str) -> TargetView:
        return await self.until(lambda view: {e.pod for e in view.endpoints} == set(names))

    async def problem(self, code: str) -> TargetView:
        return await self.until(lambda view: view.problem is not None and view.problem.code == code)
