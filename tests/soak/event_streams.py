"""Event streams, one after the other on each of some clients, with their ends in a ledger."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

import aiohttp

from support.load.ledger import Fate, Ledger

KEY = "sk-demo-master-key"
PIECES, GAP_S = 40, 0.1
PATIENCE_S = 60.0


@contextlib.contextmanager
def event_streams(port: int, clients: int) -> Iterator[Ledger]:
    """Run so many clients until the block ends; then each has read its last stream to the end."""
    ledger, is_over = Ledger(), threading.Event()

    async def run() -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(clients):
                tasks.create_task(read_on(session))

    async def read_on(session: aiohttp.ClientSession) -> None:
        while not is_over.is_set():
            began = time.monotonic()
            what = await end_of_one(session, port)
            name = f"stream-{began:.6f}"
            ledger.add(Fate("event stream", name, began, time.monotonic() - began, what))

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield ledger
    finally:
        is_over.set()
        thread.join(PATIENCE_S + 10)


async def end_of_one(session: aiohttp.ClientSession, port: int) -> str:
    body = {"model": "claude-sonnet", "stream": True, "pieces": PIECES, "gap_s": GAP_S}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    try:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with session.post(url, json=body, headers=headers) as answer:
            if answer.status != 200:
                return str(answer.status)
            said = await answer.read()
    except aiohttp.ClientConnectorError:
        return "refused"
    except TimeoutError:
        return "silent"
    except (aiohttp.ClientError, OSError):
        return "cut"
    return "ok" if said.rstrip().endswith(b"data: [DONE]") and b'"error"' not in said else "cut"
