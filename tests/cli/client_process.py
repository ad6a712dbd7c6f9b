"""llmgwctl in a process of its own, as people run it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.terminal import start_on_a_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.client.plain_daemon import Served


COMMAND = [sys.executable, "-m", "llmgwctl"]


def environment(path: str, **changes: str) -> dict[str, str]:
    kept = {"PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV"}
    inherited = {name: value for name, value in os.environ.items() if name in kept}
    return inherited | {"LLMGW_SOCKET": path, "TERM": "xterm", "PYTHONUTF8": "1"} | changes


def run(path: str, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        env=environment(path, **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def started(path: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *words],
        env=environment(path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def watched(served: Served) -> None:
    served.until(lambda: served.daemon.watchers == 1)


def on_a_terminal(
    path: str, *words: str, keys: Callable[[str], bytes] | None = None, **changes: str
) -> tuple[int, str]:
    """Run on a pseudo-terminal; `keys` is given all that was shown so far, and types once."""
    process, terminal = start_on_a_terminal([*COMMAND, *words], environment(path, **changes))
    shown = b""
    try:
        while select.select([terminal], [], [], 20)[0]:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # Linux's way to say that the last writer has gone
                chunk = b""
            if not chunk:
                break
            shown += chunk
            if keys is not None and (typed := keys(shown.decode(errors="ignore"))):
                os.write(terminal, typed)
                keys = None
    finally:
        os.close(terminal)
        process.send_signal(signal.SIGHUP)
        process.wait()
    return process.returncode, shown.decode()
