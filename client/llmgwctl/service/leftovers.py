"""What an ended daemon leaves behind, taken away with the service: its history, its lock."""

from __future__ import annotations

import contextlib
import fcntl
import os

from llmgwctl.service.unit_files import remove

# Files of the daemon's own: on macOS the configuration lies in the same folder.
_HISTORY = ("events.jsonl", "events.jsonl.1", "spend.json", "spend.json.damaged")


def clear(socket: str, state: str) -> list[str]:
    """Remove them, and the folders that are empty then; say what was done.

    A daemon that someone runs without the service holds the lock: then all of it stays.
    """
    path = f"{socket}.lock"
    with contextlib.ExitStack() as stack:
        try:
            lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            pass
        except OSError:
            return [f"the history is kept, because another llmgwd runs: {state}"]
        gone = [name for name in _HISTORY if remove(os.path.join(state, name))]
        # A daemon that starts at this very moment would hold a lock without a file; it notices
        # that where it looks after its socket, and takes another.
        remove(path)
    for folder in (state, os.path.dirname(path)):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return [f"removed the history of events and spend in {state}"] if gone else []
