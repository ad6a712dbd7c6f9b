"""The daemon's own log: one line a change, for a terminal, for journald, or as JSON in a file.

No secret can get through: only plain values are written at all, and every text among them passes
the redactor. What other libraries log through `logging` takes the same way.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from llmgwd.telemetry.redaction import redact

# Two files of this size hold weeks of a quiet daemon.
FILE_BYTES: Final = 4 * 1024 * 1024

# sd-daemon(3): the priority in front of each line.
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

_Entry = MutableMapping[str, Any]


class Output(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


def configure(level: str, log_format: str | None = None, file: str | None = None) -> None:
    """Send the log to standard error, or as JSON to a file that is rotated.

    `log_format` None: journald's where standard error leads to journald, else the console's.
    """
    output: Output = sys.stderr if file is None else RotatedFile(Path(file))
    if log_format is None:
        is_journal = is_stderr_journal(os.environ)
        log_format = "json" if file is not None else "journal" if is_journal else "console"
    structlog.configure(
        processors=processors(log_format, is_colored=file is None and _may_color(os.environ)),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: structlog.WriteLogger(output),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Foreign()], force=True)


def processors(log_format: str, *, is_colored: bool = False) -> list[Callable[..., Any]]:
    """Build the way of a line; what a test writes with it is what the daemon would write."""
    chain: list[Callable[..., Any]] = [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        plain_values_only,
        without_secrets,
    ]
    if log_format == "journal":
        return [*chain, _journal_line]
    if log_format == "json":
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")
        return [*chain, stamp, structlog.processors.JSONRenderer(ensure_ascii=False)]
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    renderer = structlog.dev.ConsoleRenderer(
        colors=is_colored, pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
    )
    return [*chain, stamp, renderer]


def plain_values_only(_logger: object, _method: str, entry: _Entry) -> _Entry:
    """Let numbers, texts and truths pass; of anything else write only what kind of thing it is."""
    return {key: _plain(value) for key, value in entry.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list) and all(isinstance(each, str | int) for each in value):
        return ", ".join(map(str, value))
    return f"<{type(value).__name__}>"


def without_secrets(_logger: object, _method: str, entry: _Entry) -> _Entry:
    return {key: redact(v) if isinstance(v, str) else v for key, v in entry.items()}


def is_stderr_journal(environ: Mapping[str, str]) -> bool:
    """JOURNAL_STREAM names the stream that systemd made; a redirection gives another."""
    with contextlib.suppress(OSError, ValueError):
        device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
        status = os.fstat(sys.stderr.fileno())
        return (int(device), int(inode)) == (status.st_dev, status.st_ino)
    return False


def _may_color(environ: Mapping[str, str]) -> bool:
    return sys.stderr.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _journal_line(_logger: object, _method: str, entry: _Entry) -> str:
    """journald has the time itself, and takes each line of a text for a message of its own."""
    priority = _PRIORITIES.get(str(entry.pop("level", "info")), 6)
    event = entry.pop("event", "")
    fields = " ".join(f"{key}={_quoted(value)}" for key, value in entry.items())
    text = f"{event} {fields}".rstrip()
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines() or [""])


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


class RotatedFile:
    """A log file, readable by its owner alone; past `limit_bytes` it becomes FILE.1."""

    def __init__(self, path: Path, limit_bytes: int = FILE_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._open()

    def write(self, text: str) -> None:
        if self._file.tell() + len(text) > self._limit_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._open()
        self._file.write(text)

    def flush(self) -> None:
        self._file.flush()

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_NONBLOCK: else a FIFO at this place holds the daemon up.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o600)
        # A lone surrogate of a peer's JSON must not make a log line an exception.
        self._file = os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


class _Foreign(logging.Handler):
    """Takes what other libraries say into our log."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger()
        level = record.levelname.lower()
        logger.log(
            getattr(logging, level.upper(), logging.WARNING),
            "library said",
            library=record.name,
            said=record.getMessage(),
            exc_info=record.exc_info or None,
        )
