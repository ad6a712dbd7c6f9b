"""What a daemon shows while a fault lasts and after it: read many times a second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmgwctl.errors import ClientError
from llmgwctl.rules.visible_conditions import visible
from llmgwctl.wire import ApiPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwctl.wire import CheckStatus
    from support.running_daemon import RunningDaemon

LOOK_S = 0.02
DOCTOR_S = 90.0


@dataclass(frozen=True, slots=True)
class Shown:
    """`kinds` are the conditions that are shown, the worst first, and `said` their sentences; `at`
    is monotonic.
    """

    at: float
    state: str
    kinds: tuple[str, ...]
    said: tuple[str, ...]

    def shows(self, kind: str, words: str) -> bool:
        """Is this the first of what is shown, in these words?"""
        return self.kinds[:1] == (kind,) and words.lower() in self.said[0].lower()


@dataclass
class Watched:
    """Reads the status in a thread for as long as the block lasts."""

    daemon: RunningDaemon
    seen: list[Shown] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(10)

    def first(self, claim: Callable[[Shown], bool], since: float, within_s: float) -> Shown:
        """Wait for the first that is so; fails with all that was shown."""
        deadline = time.monotonic() + within_s
        while True:
            for each in [each for each in self.seen if each.at >= since]:
                if claim(each):
                    return each
            if time.monotonic() > deadline:
                raise AssertionError(f"not shown within {within_s:g} s; {self.story(since)}")
            time.sleep(LOOK_S)

    def kinds(self, since: float) -> set[str]:
        return {kind for each in self.seen if each.at >= since for kind in each.kinds}

    def without(self, kind: str, since: float, until: float) -> list[str]:
        """What was shown when this was not among it."""
        seen = [each for each in list(self.seen) if since <= each.at < until]
        return [f"{each.state} {each.kinds}" for each in seen if kind not in each.kinds]

    def story(self, since: float) -> str:
        """Each change of what is shown, with the seconds since an instant."""
        told: list[str] = []
        before = None
        for each in list(self.seen):
            if each.at >= since and (each.state, each.kinds) != before:
                before = each.state, each.kinds
                told.append(f"{each.at - since:.2f} s {each.state} {' '.join(each.kinds)}".strip())
        return "; ".join(told)

    def _run(self) -> None:
        while not self._stop.is_set():
            at = time.monotonic()
            try:
                status = self.daemon.status()
            except (ClientError, OSError):
                continue
            (forward,) = status["forwards"]
            standing = [*visible(forward["conditions"]), *visible(status["conditions"])]
            kinds = tuple(each["kind"] for each in standing)
            said = tuple(each["summary"] for each in standing)
            self.seen.append(Shown(at, forward["state"], kinds, said))
            time.sleep(LOOK_S)


def examined(daemon: RunningDaemon) -> tuple[float, list[CheckStatus]]:
    """What the running daemon's doctor finds, and in how many seconds."""
    began = time.monotonic()
    lines = list(daemon.client.lines(ApiPath.DOCTOR, {}, timeout_s=DOCTOR_S))
    return time.monotonic() - began, lines
