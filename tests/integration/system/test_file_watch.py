"""Files are seen to change however that happens."""

from __future__ import annotations

import os
import resource
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from llmgwd.system.files.file_watch import LOOK_S, POLL_S, WatchedFiles

# Well below the look that is taken without the system's word.
SOON_S = 1.5


def _watching(
    paths: list[Path], act: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
) -> None:
    """Run `act` while the files are watched; what it is given waits for the next word."""

    async def main() -> None:
        files = WatchedFiles()
        told, hear = anyio.create_memory_object_stream[None](100)

        async def heard() -> None:
            with anyio.fail_after(SOON_S):
                await hear.receive()

        async with told, hear, anyio.create_task_group() as tasks:
            files.follow("test", [str(path) for path in paths], lambda: told.send_nowait(None))
            tasks.start_soon(files.run)
            await anyio.sleep(0.3)
            await act(heard)
            tasks.cancel_scope.cancel()

    anyio.run(main)


def test_a_file_that_is_written_or_replaced_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("one")

    async def act(heard: Callable[[], Awaitable[None]]) -> None:
        file.write_text("two, longer")
        await heard()
        (tmp_path / "draft").write_text("three")
        (tmp_path / "draft").replace(file)
        await heard()
        file.unlink()
        await heard()

    _watching([file], act)


def test_a_file_in_a_folder_that_is_not_there_yet_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "config"

    async def act(heard: Callable[[], Awaitable[None]]) -> None:
        file.parent.mkdir(parents=True)
        file.write_text("one")
        await heard()

    _watching([file], act)


def test_a_link_that_is_turned_to_another_file_is_told(tmp_path: Path) -> None:
    """As a mounted Secret is renewed, or a profile of nix."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "token").write_text(version)
    (tmp_path / "data").symlink_to("v1")
    link = tmp_path / "token"
    link.symlink_to("data/token")

    async def act(heard: Callable[[], Awaitable[None]]) -> None:
        (tmp_path / "next").symlink_to("v2")
        os.replace(tmp_path / "next", tmp_path / "data")
        await heard()

    _watching([link], act)


def test_a_file_in_a_folder_that_is_followed_is_told(tmp_path: Path) -> None:
    """As logins are kept, one file each."""

    async def act(heard: Callable[[], Awaitable[None]]) -> None:
        (tmp_path / "cache" / "login").write_text("one")
        await heard()
        (tmp_path / "cache" / "login").write_text("another")
        await heard()

    (tmp_path / "cache").mkdir()
    _watching([tmp_path / "cache"], act)


def test_where_the_system_gives_no_watch_files_are_polled(tmp_path: Path) -> None:
    file = tmp_path / "config"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def act(heard: Callable[[], Awaitable[None]]) -> None:
        del heard
        highest = max(int(each) for each in os.listdir("/dev/fd"))
        reports: list[str] = []
        files = WatchedFiles()
        files.follow("test", [str(file)], lambda: reports.append("changed"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(files.run)
            await anyio.sleep(0.1)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            file.write_text("one")
            with anyio.fail_after(POLL_S + 1):
                while not reports:  # noqa: ASYNC110 - the callback is not async
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()

    _watching([], act)


def test_other_files_in_the_folder_are_not_told(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("one")

    async def act(heard: Callable[[], Awaitable[None]]) -> None:
        (tmp_path / "other").write_text("noise")
        with pytest.raises(TimeoutError):
            await heard()

    _watching([file], act)


def test_the_watch_ends_at_once_when_it_is_cancelled(tmp_path: Path) -> None:
    async def main() -> float:
        files = WatchedFiles()
        files.follow("test", [str(tmp_path / "config")], lambda: None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(files.run)
            await anyio.sleep(0.3)
            began = anyio.current_time()
            tasks.cancel_scope.cancel()
        return anyio.current_time() - began

    assert anyio.run(main) < LOOK_S / 2
