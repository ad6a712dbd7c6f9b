"""A load of clients on kept connections, for as long as a block lasts; its ledger is what is left.

    with kept_load(port, [Group("httpx", 4), Group("node agent", 20, (4.9, 5.2))]) as ledger:
        faults.roll(wait=True)
    assert not ledger.lost, ledger.summary()

Python's clients run in a thread with a loop of its own, Node's in a process of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from support.load.kept_clients import KINDS, PATIENCE_S, Answer, KeptClient, fate_of
from support.load.ledger import Fate, Ledger

NODE = shutil.which("node")
NODE_KINDS = ("node agent", "node fetch")
_NODE_SCRIPT = Path(__file__).with_name("node_clients.mjs")
# Clients begin one after the other within this time, as people do.
_BEGIN_WITHIN_S = 0.5
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Group:
    """So many clients of a kind; each asks again between two times after its last answer."""

    kind: str
    clients: int = 1
    gap_s: tuple[float, float] = (0.2, 0.3)


@contextlib.contextmanager
def kept_load(port: int, groups: Sequence[Group]) -> Iterator[Ledger]:
    """Run the groups until the block ends; then every request that was asked has ended."""
    ledger = Ledger()
    ours = [group for group in groups if group.kind in KINDS]
    nodes = [group for group in groups if group.kind in NODE_KINDS]
    assert len(ours) + len(nodes) == len(groups), f"a kind of {groups} is not known"
    with contextlib.ExitStack() as running:
        for group in nodes:
            running.enter_context(_node_load(port, group, ledger))
        if ours:
            running.enter_context(_python_load(port, ours, ledger))
        yield ledger


@contextlib.contextmanager
def _python_load(port: int, groups: Sequence[Group], ledger: Ledger) -> Iterator[None]:
    start: Future[Callable[[], object]] = Future()

    async def run() -> None:
        is_over, loop = asyncio.Event(), asyncio.get_running_loop()
        start.set_result(lambda: loop.call_soon_threadsafe(is_over.set))
        async with asyncio.TaskGroup() as tasks:
            for group in groups:
                for _ in range(group.clients):
                    tasks.create_task(_keep_asking(port, group, ledger, is_over))

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    end = start.result(10)
    try:
        yield
    finally:
        end()
        thread.join(PATIENCE_S + 15)
        assert not thread.is_alive(), "a client of the load does not end"


async def _keep_asking(port: int, group: Group, ledger: Ledger, is_over: asyncio.Event) -> None:
    client = KINDS[group.kind](port)
    await asyncio.sleep(random.uniform(0, _BEGIN_WITHIN_S))
    try:
        while not is_over.is_set():
            ledger.add(await _ask(client, group.kind))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), random.uniform(*group.gap_s))
    finally:
        await client.close()


async def _ask(client: KeptClient, kind: str) -> Fate:
    name = f"{os.getpid()}-{next(_numbers)}"
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await client.ask(name)
    except Exception as error:
        answer = Answer(fate_of(error))
    took_s = time.monotonic() - began
    return Fate(kind, name, began, took_s, answer.what, answer.first_byte_s, answer.is_kept)


@contextlib.contextmanager
def _node_load(port: int, group: Group, ledger: Ledger) -> Iterator[None]:
    """Clients in Node: each line of its output is one fate; the end of its input ends it."""
    assert NODE is not None, "no node on PATH"
    plan = {
        "port": port,
        "kind": group.kind,
        "clients": group.clients,
        "gap_ms": [round(1000 * gap_s) for gap_s in group.gap_s],
        "begin_within_ms": round(1000 * _BEGIN_WITHIN_S),
        "patience_ms": round(1000 * PATIENCE_S),
    }
    command = [NODE, str(_NODE_SCRIPT), json.dumps(plan)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    lines = process.stdout

    def read() -> None:
        for line in lines:
            ledger.add(Fate(group.kind, **json.loads(line)))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
        process.stdin.close()
        assert process.wait(PATIENCE_S + 15) == 0, "node ended badly"
        reader.join(5)
    finally:
        process.kill()
        process.wait()
        lines.close()
