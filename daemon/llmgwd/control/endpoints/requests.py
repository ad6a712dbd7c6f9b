"""The control API's record of requests, and the spend that passed through."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

from llmgwctl.wire import ApiPath, RequestRecord, Spend
from llmgwd.control.endpoint import JSON_LINES, Call, Endpoint, Lines, Parameter, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llmgwd.control.daemon import Daemon
    from llmgwd.relay.http.request_records import RequestRecords

# A follower of several forwards that does not read is cut by their records, not here.
_MERGED_RECORDS = 1000
_UTC = (
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z"
)


async def _requests(daemon: Daemon, call: Call) -> Lines:
    since = call.query.get("since")
    records = daemon.requests(call.query.get("forward"))
    return Lines(_records(records, since, is_followed=call.query.get("follow", False)))


async def _records(
    records: Sequence[RequestRecords], since: str | None, *, is_followed: bool
) -> AsyncIterator[RequestRecord]:
    """First those that are kept, in the order in which they came; then those that end from now."""
    async with AsyncExitStack() as stack:
        coming = [await stack.enter_async_context(each.follow()) for each in records]
        kept = [record for each in records for record in each.since(since)]
        for record in sorted(kept, key=lambda record: record["time"]):
            yield record
        if is_followed:
            async for record in _merged(coming):
                yield record


async def _merged(
    streams: Sequence[AsyncIterator[RequestRecord]],
) -> AsyncIterator[RequestRecord]:
    """Join streams; the end of one (its follower fell behind) is the end of all."""
    send, receive = anyio.create_memory_object_stream["RequestRecord"](_MERGED_RECORDS)

    async def pass_on(stream: AsyncIterator[RequestRecord]) -> None:
        async for record in stream:
            await send.send(record)
        send.close()

    async with anyio.create_task_group() as tasks, receive:
        for stream in streams:
            tasks.start_soon(pass_on, stream)
        async for record in receive:
            yield record
        tasks.cancel_scope.cancel()


async def _spend(daemon: Daemon, call: Call) -> Reply:
    return Reply(Spend(days=daemon.spend()))


ENDPOINTS = (
    Endpoint(
        "GET",
        ApiPath.REQUESTS,
        "The record of requests, one a line: those kept, then those that end",
        RequestRecord,
        _requests,
        parameters=(
            Parameter("forward", str, "only this one"),
            Parameter(
                "since",
                str,
                "only those that came at or after this time (RFC 3339, in UTC)",
                pattern=_UTC,
            ),
            Parameter("follow", bool, "true: go on with those that end from now on"),
        ),
        media=JSON_LINES,
        refusals=(404,),
    ),
    Endpoint("GET", ApiPath.SPEND, "What passed through each day, and its cost", Spend, _spend),
)
