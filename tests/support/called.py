"""llmgwctl called as a person calls it: a process of its own, next to this interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.running_daemon import RunningDaemon

PROGRAM = str(Path(sys.executable).with_name("llmgwctl"))


def environment(home: Path, **variables: str) -> dict[str, str]:
    """An environment that no variable or file of the person who runs the tests is in."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONIOENCODING": "utf-8"}
    return clean | {"TZ": "UTC"} | variables


def call(
    daemon: RunningDaemon, verb: str, *words: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end; `words` may hold a `--` and what follows it."""
    return subprocess.run(
        command(daemon, verb, *words),
        capture_output=True,
        text=True,
        env=environment(daemon.config_path.parent, **variables),
        timeout=60,
        check=False,
    )


def command(daemon: RunningDaemon, verb: str, *words: str) -> list[str]:
    return [PROGRAM, verb, "--socket", daemon.socket, *words]
