"""A target that is followed against a scripted API server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from llmgwd.cluster.access import open_access
from llmgwd.cluster.target.target_watch import TargetWatch
from llmgwd.config.target import Target
from support.scripted_api import (
    Handler,
    ScriptedApi,
    kubeconfig,
    status,
)
from support.views import Views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def following(
    folder: Path, api: ScriptedApi, target: str = "service/litellm", port: str = "4000"
) -> AsyncIterator[tuple[Views, TargetWatch]]:
    access = await open_access(kubeconfig(folder, api), None)
    watch, views = TargetWatch(access, "litellm", Target.parse(target), port), Views()
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run, views)
        yield views, watch
        group.cancel_scope.cancel()
    await access.close()


async def failure_of(folder: Path, api: ScriptedApi, target: str = "service/litellm") -> Exception:
    access = await open_access(kubeconfig(folder, api), None)
    try:
        with anyio.fail_after(10):
            await TargetWatch(access, "litellm", Target.parse(target), "4000").run(
                lambda view: None
            )
    except Exception as error:
        return error
    finally:
        await access.close()


def sending(*lines: bytes, stays: bool = True) -> Handler:
    """A watch that sends these events and then stays open, or ends."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        if stays:
            await asyncio.Event().wait()
        return response

    return handle


def answering(code: int) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return status(code, "scripted")

    return handle


def is_watch(request: web.Request) -> bool:
    return bool(request.query.get("watch")) and request.path.endswith("/pods")


def watched(api: ScriptedApi) -> list[str]:
    return [r.query["resourceVersion"] for r in api.requests if is_watch(r)]
