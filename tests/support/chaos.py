"""Faults as data, what watches a daemon through them, and what must be true afterwards."""

from __future__ import annotations

import bisect
import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from llmgwctl.wire import SERVING_STATES

if TYPE_CHECKING:
    from llmgwsim.remote import FaultClient
    from support.load.traffic import Traffic
    from support.running_daemon import RunningDaemon

# The promise: the state is true within this. Samples and answers add a little.
TRUTH_S = 2.0
SLACK_S = 0.6
KNOCK_EVERY_S = 0.02

Act = Callable[["FaultClient"], Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """`undo` None: it heals by itself. `cuts`: connections under way may be lost with it.

    `is_silent`: nothing says that it happened; it is noticed by pings, within 10 s, not by 2.
    """

    name: str
    begin: Act
    undo: Act | None = None
    cuts: bool = False
    is_silent: bool = False


FAULTS = (
    Fault("pod deleted gracefully", lambda f: f.delete_pod(graceful=True)),
    Fault("pod killed", lambda f: f.delete_pod(graceful=False), cuts=True),
    Fault("container crashed", lambda f: f.crash(restart_after_s=0.3), cuts=True),
    Fault("rollout", lambda f: f.roll()),
    Fault(
        "all pods gone",
        lambda f: f.delete_all_pods(hold_s=0.8),
        cuts=True,
    ),
    Fault(
        "pod not ready",
        lambda f: f.set_ready(ready=False),
        lambda f: [f.set_ready(ready=True, pod=p["name"]) for p in _alive(f)],
    ),
    Fault("node lost", lambda f: f.lose_node(), lambda f: f.lose_node(lost=False)),
    Fault("dials refused", lambda f: f.refuse_dials(), lambda f: f.refuse_dials(refuse=False)),
    Fault("streams reset", lambda f: f.reset_streams(), cuts=True),
    Fault("connections cut", lambda f: f.cut(), cuts=True),
    Fault("connections reset", lambda f: f.cut(reset=True), cuts=True),
    Fault("black hole", lambda f: f.black_hole(), lambda f: f.restore(cut=True), True, True),
    Fault("slow network", lambda f: f.set_rtt(rtt_s=0.1), lambda f: f.set_rtt(rtt_s=0.0)),
    Fault("API server killed", lambda f: f.api_down(), lambda f: f.api_up(), cuts=True),
    Fault("API server ended", lambda f: f.api_down(graceful=True), lambda f: f.api_up()),
    Fault(
        "token refused",
        lambda f: f.refuse_user(),
        lambda f: f.refuse_user(refuse=False),
    ),
    Fault(
        "verb taken away",
        lambda f: f.deny(verb="create", resource="pods/portforward"),
        lambda f: f.allow(),
    ),
    Fault("watch refused", lambda f: f.deny(verb="watch", resource="pods"), lambda f: f.allow()),
    Fault(
        "SPDY refused by a proxy",
        lambda f: f.refuse_upgrades(spdy=502),
        lambda f: f.refuse_upgrades(),
    ),
    Fault(
        "API server fails",
        lambda f: f.fail_requests(status=500),
        lambda f: f.fail_requests(status=500, count=0),
    ),
    Fault("API server hangs", lambda f: f.hang(), lambda f: f.hang(hangs=False), is_silent=True),
    Fault("watches ended", lambda f: f.close_watches()),
    Fault("history forgotten", lambda f: f.compact()),
    Fault("service gone", lambda f: f.remove_service(), lambda f: f.set_service()),
    Fault(
        "target port renamed", lambda f: f.set_service(target_port=4000), lambda f: f.set_service()
    ),
)


def _alive(faults: FaultClient) -> list[dict[str, Any]]:
    return [pod for pod in faults.pods() if not pod["is_terminating"]]


@dataclass(frozen=True, slots=True)
class Step:
    fault: Fault
    lasts_s: float
    then_s: float


def sequence(seed: int, length: int) -> list[Step]:
    """The same seed gives the same faults for the same times."""
    chosen = random.Random(seed)
    return [
        Step(chosen.choice(FAULTS), chosen.uniform(0.05, 0.8), chosen.uniform(0.0, 0.5))
        for _ in range(length)
    ]


def play(steps: list[Step], faults: FaultClient) -> list[tuple[float, float]]:
    """Do and undo each in turn; the stretches of time in which a silent one could hide."""
    hidden = []
    for step in steps:
        began = time.monotonic()
        _quietly(step.fault.begin, faults)
        time.sleep(step.lasts_s)
        if step.fault.undo is not None:
            _quietly(step.fault.undo, faults)
        if step.fault.is_silent:
            hidden.append((began, time.monotonic()))
        time.sleep(step.then_s)
    return hidden


def _quietly(act: Act, faults: FaultClient) -> None:
    """A fault that has nothing to act on (no pod is left to kill) is no fault."""
    from llmgwsim.remote import FaultError

    try:
        act(faults)
    except FaultError as error:
        if "no pod" not in str(error) and "NoneType" not in str(error):
            raise


@dataclass
class Watcher:
    """Knocks at both addresses all the time, and writes down what state the daemon reports."""

    daemon: RunningDaemon
    refusals: list[str] = field(default_factory=list)
    samples: list[tuple[float, str]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for target in (self._knock, self._sample):
            thread = threading.Thread(target=target, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _knock(self) -> None:
        while not self._stop.is_set():
            for host in ("127.0.0.1", "::1"):
                try:
                    socket.create_connection((host, self.daemon.port), timeout=5).close()
                except OSError as error:
                    self.refusals.append(f"{host}: {error}")
            self._stop.wait(KNOCK_EVERY_S)

    def _sample(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self.samples.append((began, self.daemon.state()))
            self._stop.wait(0.1)


def lies(watcher: Watcher, traffic: Traffic, hidden: list[tuple[float, float]]) -> list[str]:
    """Find the moments at which a state had been untrue for longer than allowed.

    Serving, though for so long nothing was answered; or not serving, though all that time
    what came was answered at once.
    """
    window_s = TRUTH_S + SLACK_S
    answered = sorted(each.began_at + each.took_s for each in traffic.outcomes if each.what == "ok")
    asked = sorted(each.began_at for each in traffic.outcomes)
    prompt = sorted(e.began_at for e in traffic.outcomes if e.what == "ok" and e.took_s < 0.2)
    found = []
    for at, state in watcher.samples:
        since = at - window_s
        count = _between(asked, since, at - 0.3)
        if count < 10 or any(began < at and ended > since for began, ended in hidden):
            continue
        steadily = [s for t, s in watcher.samples if since <= t <= at]
        if all(s in SERVING_STATES for s in steadily) and not _between(answered, since, at):
            found.append(f"{state} at {at:.1f}, but nothing was answered since {since:.1f}")
        all_down = all(s not in SERVING_STATES for s in steadily)
        if all_down and _between(prompt, since, at - 0.3) == count:
            found.append(f"{state} at {at:.1f}, but all was answered since {since:.1f}")
    return found


def _between(times: list[float], since: float, until: float) -> int:
    return bisect.bisect_left(times, until) - bisect.bisect_left(times, since)


_TASKS = re.compile(r"^llmgw_tasks ([0-9]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process holds; more of it after a storm than before is a leak."""

    descriptors: int
    threads: int
    tasks: int
    resident_bytes: int

    @staticmethod
    def of(daemon: RunningDaemon) -> Holdings:
        assert daemon.process is not None
        process = Path(f"/proc/{daemon.process.pid}")
        # First, because what it imports stays.
        tasks = _TASKS.search(daemon.metrics())
        assert tasks is not None
        pages = int((process / "statm").read_text().split()[1])
        return Holdings(
            len(os.listdir(process / "fd")),
            len(os.listdir(process / "task")),
            int(tasks[1]),
            pages * os.sysconf("SC_PAGE_SIZE"),
        )
