"""A line on a terminal that says that the doctor still looks, for as long as it finds nothing."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

# Sooner, a check that takes its usual time would make the terminal flicker.
AFTER_S = 0.7
EVERY_S = 0.25
_ERASED = "\r\x1b[K"


class Progress:
    """Writes to `stream` while the block lasts; None writes nothing. `clear` comes before a line of
    the report.
    """

    def __init__(self, stream: TextIO | None, after_s: float = AFTER_S) -> None:
        self._stream = stream
        self._after_s = after_s
        self._began_at = self._cleared_at = time.monotonic()
        self._is_drawn = False
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        if self._stream is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        if self._stream is not None:
            self._thread.join()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._cleared_at = time.monotonic()
            if self._is_drawn:
                self._is_drawn = False
                self._write(_ERASED)

    def _run(self) -> None:
        while not self._end.wait(min(EVERY_S, self._after_s)):
            with self._lock:
                now = time.monotonic()
                if now - self._cleared_at >= self._after_s:
                    self._is_drawn = True
                    self._write(f"{_ERASED}  still checking, {now - self._began_at:.0f} s")

    def _write(self, text: str) -> None:
        assert self._stream is not None
        self._stream.write(text)
        self._stream.flush()
