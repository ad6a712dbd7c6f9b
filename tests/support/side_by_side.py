"""How the suite runs in several workers of pytest-xdist, where that is installed.

Folders are run in parallel without being asked, files and single tests are not: one test must not
pay for the start of workers. `-n` on the command line decides otherwise. Most tests wait for a
cluster, a time-out or a process, so there are more workers than cores.

What workers share: the kernel's ports (`support/ports.py` takes none that is also given to an
outgoing connection), the folders in the user's cache (each is built under a lock), and the
processors. A test that compares times is marked `quiet`: while it runs, the others pause.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

_ROOM = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()
_LOCKS = pytest.StashKey["tuple[IO[str], IO[str]]"]()

# Each is run by one worker, because its tests share what is dear to start: a real LiteLLM, wheels
# and their environments, and the folder by which a machine says that systemd runs it. They take
# longest, so they come first.
_TOGETHER = (
    "tests/programs/",
    "tests/service/",
    "tests/integration/gateway/test_litellm_real.py",
    "tests/peers/conformance/",
    "tests/integration/clients/",
    "tests/integration/hostile/",
)
# Tests that only compute: each file goes as one to a worker, after those that wait.
_COMPUTING = ("tests/pure/", "tests/virtual/")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _worker_count(arguments: list[str]) -> int:
    """Give the number of workers for what is to be run; 0: none but this process."""
    paths = [Path(argument.partition("::")[0]).resolve() for argument in arguments]
    if not all(path.is_dir() for path in paths):
        return 0
    root = Path(__file__).parents[2]
    computes = [path.is_relative_to(root / folder) for path in paths for folder in _COMPUTING]
    # Of those that compute, some wait for a moment, too.
    return _cores() + 1 if sum(computes) == len(paths) else _cores() * 2


def _unit(nodeid: str) -> str:
    """Give what goes to a worker as one: a folder, a file or a test."""
    for prefix in _TOGETHER:
        if nodeid.startswith(prefix):
            return prefix
    return nodeid.partition("::")[0] if nodeid.startswith(_COMPUTING) else nodeid


def _rank(item: pytest.Item) -> int:
    """Give the place of a test in the order: what takes long first, what must be alone last.

    A quiet test waits for the end of what runs beside it: at the end those are short.
    """
    for place, prefix in enumerate(_TOGETHER):
        if item.nodeid.startswith(prefix):
            return place
    is_quiet = item.get_closest_marker("quiet") is not None
    return len(_TOGETHER) + (2 if is_quiet else item.nodeid.startswith(_COMPUTING))


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", None)
    if given is not None:
        door, room = ((Path(given["room"]) / name).open("w") for name in ("door", "room"))
        config.stash[_LOCKS] = door, room
        config.add_cleanup(door.close)
        config.add_cleanup(room.close)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    options = config.option
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.pluginmanager.hasplugin("xdist") or options.numprocesses is not None:
        return
    # Without pytest's cache there is no --last-failed.
    if options.usepdb or config.getoption("lf", False) or options.collectonly:
        return
    options.numprocesses = _worker_count(config.args)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    stash = node.config.stash
    if _ROOM not in stash:
        stash[_ROOM] = tempfile.TemporaryDirectory(prefix="llmgw-tests-")
        node.config.add_cleanup(stash[_ROOM].cleanup)
    node.workerinput["room"] = stash[_ROOM].name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from xdist.scheduler import LoadScopeScheduling

    class InUnits(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _unit(nodeid)

        def add_node_collection(self, node: WorkerController, collection: list[str]) -> None:
            # What a worker is given it is given by id.
            named, count = Counter(collection).most_common(1)[0] if collection else ("", 0)
            if count > 1:
                raise pytest.UsageError(f"{count} tests have one id, and one would run: {named}")
            super().add_node_collection(node, collection)

    config.option.loadscopereorder = False
    return InUnits(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with _beside_others(item):
        return (yield)


@contextlib.contextmanager
def _beside_others(item: pytest.Item) -> Generator[None]:
    """Hold the room: alone for a quiet test, else with the other workers.

    Who wants it alone waits at the door, and no one passes the door meanwhile: else there would
    always be another test in the room.
    """
    locks = item.config.stash.get(_LOCKS, None)
    if locks is None:
        yield
        return
    door, room = locks
    is_quiet = item.get_closest_marker("quiet") is not None
    fcntl.flock(door, fcntl.LOCK_EX)
    fcntl.flock(room, fcntl.LOCK_EX if is_quiet else fcntl.LOCK_SH)
    fcntl.flock(door, fcntl.LOCK_UN)
    try:
        yield
    finally:
        fcntl.flock(room, fcntl.LOCK_UN)
