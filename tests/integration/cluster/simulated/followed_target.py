"""A target of the simulated cluster, followed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from llmgwd.cluster.target.target_watch import TargetWatch
from llmgwd.cluster.upgrade import UpgradeChooser
from llmgwd.config.target import Target
from llmgwd.errors import LlmgwError
from support.views import Views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.target.pods import Endpoint


@asynccontextmanager
async def following(
    access: ClusterAccess, target: str = "service/litellm", port: str = "4000"
) -> AsyncIterator[Views]:
    watch, views = TargetWatch(access, "litellm", Target.parse(target), port), Views()
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run, views)
        yield views
        group.cancel_scope.cancel()


async def one_endpoint(access: ClusterAccess) -> Endpoint:
    async with following(access) as views:
        return (await views.until(lambda view: bool(view.endpoints))).endpoints[0]


async def refusal_of(access: ClusterAccess, endpoint: Endpoint) -> LlmgwError:
    with pytest.raises(LlmgwError) as caught:
        await UpgradeChooser().dial(access, endpoint)
    return caught.value
