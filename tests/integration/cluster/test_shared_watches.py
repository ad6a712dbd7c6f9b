"""Forwards that follow the same pods of one cluster share the watch, its failures and its end."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from following import answering, is_watch, sending

from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.target.target_watch import TargetWatch
from llmgwd.config.target import Target
from llmgwd.errors import LlmgwError, Transient
from support.scripted_api import (
    PODS,
    SERVICE,
    ScriptedApi,
    event,
    kubeconfig,
    listed,
    pod,
    service,
    serving,
)
from support.views import Views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
TARGETS = ("service/litellm", "app=litellm", "service/litellm", "app=litellm")


class Follower:
    """Follows one target until it is told to leave, or until that fails."""

    def __init__(self, access: ClusterAccess, target: str) -> None:
        self.views = Views()
        self.failed = anyio.Event()
        self.error: LlmgwError | None = None
        self.scope = anyio.CancelScope()
        self._watch = TargetWatch(access, "litellm", Target.parse(target), "4000")

    async def run(self) -> None:
        with self.scope:
            try:
                await self._watch.run(self.views)
            except LlmgwError as error:
                self.error = error
                self.failed.set()


@asynccontextmanager
async def following_all(folder: Path, api: ScriptedApi) -> AsyncIterator[list[Follower]]:
    access = await open_access(kubeconfig(folder, api), None)
    followers = [Follower(access, target) for target in TARGETS]
    async with anyio.create_task_group() as group:
        for follower in followers:
            group.start_soon(follower.run)
        yield followers
        group.cancel_scope.cancel()
    await access.close()


def of_pods(api: ScriptedApi) -> tuple[int, int]:
    """How often the pods were listed, and how often a watch of them was begun."""
    watches = sum(map(is_watch, api.requests))
    return sum(request.path == PODS for request in api.requests) - watches, watches


async def test_one_watch_serves_all_and_outlives_the_one_that_began_it(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"))}
        api.watches.put_nowait(sending(event("ADDED", pod("b"))))
        async with following_all(tmp_path, api) as followers:
            for follower in followers:
                await follower.views.names("a", "b")
            assert of_pods(api) == (1, 1)

            api.answers[PODS] = listed(pod("b"))
            for leaver in followers[:-1]:
                leaver.scope.cancel()
                await anyio.lowlevel.checkpoint()
            api.watches.put_nowait(sending(event("ADDED", pod("c"))))
            await followers[-1].views.names("b", "c")

        # Those that were left never took what they knew for lost.
        assert all(view.endpoints for follower in followers for view in follower.views.told)


async def test_a_watch_that_fails_fails_for_all_by_one_request(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"))}
        api.watches.put_nowait(answering(410))
        async with following_all(tmp_path, api) as followers:
            for follower in followers:
                await follower.views.names("a")
            before = of_pods(api)[0]
            api.answers[PODS] = answering(503)
            api.watches.put_nowait(answering(410))
            with anyio.fail_after(10):
                for follower in followers:
                    await follower.failed.wait()

            assert of_pods(api)[0] == before + 1
            assert all(isinstance(follower.error, Transient) for follower in followers)
