"""What is dear to download or build, kept in the user's cache for all workers and later runs."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import platformdirs


def built_once(name: str, build: Callable[[Path], None]) -> Path:
    """Give the folder of this name, built if it is not there yet.

    Who comes while it is built waits. `build` is given a path where nothing is; what it leaves
    when it fails is thrown away.
    """
    folder = platformdirs.user_cache_path("llmgw-tests") / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            build(folder)
            (folder / "complete").touch()
    return folder
