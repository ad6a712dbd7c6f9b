"""The one rate limit: at most N in the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class RateLimit:
    """Allows `most` times within any `window_s` seconds, by a clock of the caller's."""

    def __init__(self, most: int, window_s: float, clock: Callable[[], float]) -> None:
        self._window_s = window_s
        self._clock = clock
        self._allowed_at: deque[float] = deque(maxlen=most)

    def allows(self) -> bool:
        """Count one more if the limit permits it; one that is refused does not count."""
        now = self._clock()
        is_full = len(self._allowed_at) == self._allowed_at.maxlen
        if is_full and now - self._allowed_at[0] < self._window_s:
            return False
        self._allowed_at.append(now)
        return True
