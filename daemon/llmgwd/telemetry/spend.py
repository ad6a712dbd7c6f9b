"""What passed through the daemon each day, by forward and model: requests, and what they cost.

Kept across restarts in the state folder, for gateways that keep no spend of their own. Only sums:
no request, and no one's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.to_thread
import structlog

from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwctl.wire import DaySpend, RequestRecord

# A quarter of a year, so that `usage --since 90d` is whole.
DAYS: Final = 92
# So many pairs of forward and model a day; a gateway that invents names must not fill the disk.
ROWS_A_DAY: Final = 200
WRITE_EVERY_S: Final = 10.0
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
UNNAMED: Final = "(unnamed)"
# Paths of model calls, whatever they are mounted under. Of a streamed answer the gateway names
# neither model nor cost, and yet it costs: it must count among those whose cost is not known.
_CALLS: Final = re.compile(
    r"/(chat/completions|completions|messages|responses|embeddings|rerank|images/\w+|audio/\w+)$"
)

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Of a sum that was ever counted; a number above it, or none (NaN), is of a damaged file.
_MOST: Final = 2**53

_log = structlog.get_logger()

_Key = tuple[str, str, str]  # day, forward, model


def _is_model_call(record: RequestRecord) -> bool:
    if record["cost"] is not None or record["model"] is not None:
        return True
    is_answered = record["status"] is not None and record["status"] < 300
    return record["method"] == "POST" and is_answered and bool(_CALLS.search(record["path"]))


class Spend:
    """`folder` None keeps nothing on disk."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / "spend.json"
        self._rows: dict[_Key, DaySpend] = {}
        self._has_changed = anyio.Event()
        self._is_unwritten = False  # the last write failed, and was reported
        if self._path is not None:
            self._rows = {_key(row): row for row in _read(self._path)}

    def add(self, record: RequestRecord) -> None:
        """Count a call of a model that the gateway answered, whether it named the cost or not."""
        if not _is_model_call(record):
            return
        day = record["time"][:10]
        key = (day, record["forward"], record["model"] or UNNAMED)
        row = self._rows.get(key)
        if row is None:
            if sum(each[0] == day for each in self._rows) >= ROWS_A_DAY:
                return
            row = self._rows[key] = _empty(key)
            self._forget_old()
        row["requests"] += 1
        if record["cost"] is not None:
            row["known"] += 1
            row["cost"] += record["cost"]
        self._has_changed.set()

    def days(self) -> list[DaySpend]:
        """Give all rows, the oldest day first."""
        return [self._rows[key] for key in sorted(self._rows)]

    async def run(self) -> None:
        """Keep the disk up to date; what is left at the end is written by `close`.

        A disk that is full, or cannot be written, is tried again as long as this runs.
        """
        while True:
            await self._has_changed.wait()
            await anyio.sleep(WRITE_EVERY_S)
            self._has_changed = anyio.Event()
            text = json.dumps(self.days())
            await anyio.to_thread.run_sync(self._write, text)
            if self._is_unwritten:
                self._has_changed.set()

    def close(self) -> None:
        if self._has_changed.is_set():
            self._write(json.dumps(self.days()))

    def _forget_old(self) -> None:
        kept = sorted({key[0] for key in self._rows})[-DAYS:]
        self._rows = {key: row for key, row in self._rows.items() if key[0] >= kept[0]}

    def _write(self, text: str) -> None:
        if self._path is None:
            return
        try:
            _replace(self._path, text.encode())
        except OSError as error:
            if not self._is_unwritten:
                _log.warning("spend not written", reason=error.strerror)
            self._is_unwritten = True
        else:
            self._is_unwritten = False


def _empty(key: _Key) -> DaySpend:
    day, forward, model = key
    return {"day": day, "forward": forward, "model": model, "requests": 0, "known": 0, "cost": 0.0}


def _key(row: DaySpend) -> _Key:
    return row["day"], row["forward"], row["model"]


def _replace(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def _read(path: Path) -> list[DaySpend]:
    """Read what an earlier run wrote; rows that are none are left out.

    A file that cannot be read, or holds no rows, is put aside: the next write would end it.
    """
    try:
        rows: Any = json.loads(regular_file.read(path, MAX_FILE_BYTES))
        if not isinstance(rows, list):
            raise ValueError("no list of rows")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        _log.warning("spend not read", reason=str(error), kept_as=str(aside))
        with contextlib.suppress(OSError):
            os.replace(path, aside)
        return []
    return [cast("DaySpend", row) for row in rows if _is_row(row)]


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in ("day", "forward", "model"))
        and bool(_DAY.fullmatch(row["day"]))
        and all(type(row.get(name)) is int for name in ("requests", "known"))
        and 0 <= row["known"] <= row["requests"] <= _MOST
        and type(row.get("cost")) in (int, float)
        and 0 <= row["cost"] <= _MOST
        and len(row) == 6
    )
