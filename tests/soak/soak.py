"""Hours of seeded faults under every kind of load, and what must be true of them at the end.

    python tests/soak/soak.py [--for 2h] [--seed N] [--json]

One daemon before a simulated cluster of its own process. Fresh connections, kept ones of each kind
of client, event streams and raw connections go on while one fault after the other begins, is
undone and is judged. Nothing may be refused; what is lost must have been under way while a fault
ended pods or connections; the state may be untrue for 2 s. Memory, descriptors, threads and tasks
are read after each fault, under the same load, and must not grow after the warm-up (a third of the
time, at most ten minutes). The ring of events is full from the start: it grows for hours until it
is, and then no more. The exit status is 1 where a claim does not hold. The seed that is
printed repeats a run. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "soak")]

from event_streams import event_streams  # noqa: E402 - by the path above

from llmgwctl.cli.arguments import duration  # noqa: E402
from llmgwd.telemetry.event_journal import RING  # noqa: E402
from llmgwsim.remote import cluster_process  # noqa: E402
from support.chaos import FAULTS, Holdings, Step, Watcher, lies, play  # noqa: E402
from support.load.kept_clients import KINDS  # noqa: E402
from support.load.kept_load import NODE, NODE_KINDS, Group, kept_load  # noqa: E402
from support.load.ledger import Fate, Ledger  # noqa: E402
from support.load.traffic import Traffic  # noqa: E402
from support.ports import free_port  # noqa: E402
from support.running_daemon import RunningDaemon, running  # noqa: E402

if TYPE_CHECKING:
    from llmgwsim.remote import FaultClient, RemoteCluster

CONFIG = """
[[forward]]
name = "litellm"
listen = "localhost:PORT"

[[forward]]
name = "raw"
listen = "localhost:{raw}"
protocol = "tcp"
"""
FRESH_A_SECOND = 8.0
EVENT_STREAMS = 6
# Between two requests of a raw connection. One that a fault took in between shows it at the next.
RAW_PAUSES_S = (0.2, 2.0)
# A fault lasts as long as a person would notice; what follows it is long enough to be judged.
LASTS_S, CALM_S = (0.3, 3.0), (3.0, 6.0)
WARM_UP = 1 / 3
MOST_WARM_UP_S = 600.0
# What is under way when a fault begins ends with it or soon after: a dead path is noticed by pings.
AFTERMATH_S = 12.0
MOST_GROWTH_MB_AN_HOUR = 3.0
# In less time the allocator's own ups and downs of a few MB are steeper than that.
JUDGED_AFTER_S = 900.0
# As a storm leaves them behind: one that is smaller than those that take its place would grow.
EVENT = {
    "time": "2026-11-26T21:54:27.720Z",
    "kind": "condition-raised",
    "forward": "litellm",
    "condition": "api-unreachable",
    "severity": "error",
    "message": "cannot reach 127.0.0.1:6443: Connection refused",
    "remedy": "Check the network and the VPN; what depends on it is held and goes on by itself.",
}
# Tunnels and requests that happen to be under way; a leak of one a fault is above it in minutes.
SPARE = {"descriptors": 24, "threads": 4, "tasks": 16}


@dataclass
class Findings:
    """What was seen; each list of wrongs must be empty."""

    seed: int
    lasted_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    # Of each kind of client: how many of its requests came to which end.
    requests: dict[str, Counter[str]] = field(default_factory=dict)
    lost_under_way: int = 0
    lost_otherwise: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    longest_to_whole_s: float = 0.0
    growth_mb_an_hour: float = 0.0
    # One standard error of it: what the allocator's ups and downs alone make of so short a time.
    growth_error: float = 0.0
    first: Holdings | None = None
    last: Holdings | None = None
    grew: list[str] = field(default_factory=list)

    def wrongs(self) -> list[str]:
        found = [*self.lost_otherwise, *self.refusals, *self.untrue, *self.grew]
        is_long = self.lasted_s * (1 - WARM_UP) >= JUDGED_AFTER_S
        if is_long and self.growth_mb_an_hour > MOST_GROWTH_MB_AN_HOUR:
            found.append(f"memory grows by {self.growth_mb_an_hour:.1f} MB an hour")
        return found


@dataclass(frozen=True, slots=True)
class Passed:
    """A fault that was played, and the time in which it may have taken what was under way."""

    name: str
    began: float
    ended: float
    cuts: bool


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--for", dest="lasts_s", type=duration, default=7200.0, metavar="TIME")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--json", action="store_true", help="the findings, for scripts")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.lasts_s / 60:g} minutes", file=sys.stderr, flush=True)
    found = soak(options.lasts_s, options.seed)
    print(json.dumps(asdict(found), indent=1) if options.json else text_of(found))
    return 1 if found.wrongs() else 0


def soak(lasts_s: float, seed: int) -> Findings:
    found = Findings(seed)
    raw_port = free_port()
    with (
        a_full_ring() as folder,
        cluster_process() as cluster,
        running(folder, cluster.kubeconfig, CONFIG.format(raw=raw_port)) as daemon,
    ):
        daemon.wait_for("ready")
        alone = Holdings.of(daemon)
        with loads(daemon.port, raw_port) as (fresh, kept, streams, raw):
            passed, holdings = torment(daemon, cluster, fresh, found, lasts_s)
        judge_losses(found, passed, fates_of(fresh), kept.fates, streams.fates, raw=raw.fates)
        judge_growth(found, holdings, min(lasts_s * WARM_UP, MOST_WARM_UP_S))
        judge_rest(found, daemon, alone)
    return found


@contextlib.contextmanager
def a_full_ring() -> Iterator[Path]:
    """A folder for a daemon that has seen as many events as it keeps."""
    with tempfile.TemporaryDirectory(prefix="llmgw-soak-") as name:
        state = Path(name, "state")
        state.mkdir(mode=0o700)
        lines = [json.dumps({"seq": number, **EVENT}) + "\n" for number in range(1, RING + 1)]
        (state / "events.jsonl.1").write_text("".join(lines[: RING // 2]))
        (state / "events.jsonl").write_text("".join(lines[RING // 2 :]))
        yield Path(name)


@contextlib.contextmanager
def loads(port: int, raw_port: int) -> Iterator[tuple[Traffic, Ledger, Ledger, Ledger]]:
    kinds = [*(kind for kind in KINDS if kind != "fresh"), *(NODE_KINDS if NODE else ())]
    with (
        Traffic(port, rate=FRESH_A_SECOND) as fresh,
        kept_load(port, [Group(kind, 3, (0.5, 5.5)) for kind in kinds]) as kept,
        event_streams(port, EVENT_STREAMS) as streams,
        kept_load(raw_port, [Group("raw", 4, RAW_PAUSES_S)]) as raw,
    ):
        yield fresh, kept, streams, raw


def torment(
    daemon: RunningDaemon, cluster: RemoteCluster, fresh: Traffic, found: Findings, lasts_s: float
) -> tuple[list[Passed], list[tuple[float, Holdings]]]:
    """Play one fault after the other, and look at what it did to the daemon."""
    chosen, began = random.Random(found.seed), time.monotonic()
    passed: list[Passed] = []
    holdings: list[tuple[float, Holdings]] = []
    while time.monotonic() - began < lasts_s:
        step = Step(chosen.choice(FAULTS), chosen.uniform(*LASTS_S), 0.0)
        calm_s = chosen.uniform(*CALM_S)
        with Watcher(daemon) as watcher:
            since = time.monotonic()
            hidden = play([step], cluster.faults)
            undone = time.monotonic()
            make_whole(daemon, cluster.faults)
            found.longest_to_whole_s = max(found.longest_to_whole_s, time.monotonic() - undone)
            time.sleep(calm_s)
        passed.append(Passed(step.fault.name, since, undone, step.fault.cuts))
        found.faults[step.fault.name] += 1
        found.refusals += watcher.refusals
        lately = Traffic(daemon.port, outcomes=since_then(fresh, since))
        found.untrue += [f"{step.fault.name}: {lie}" for lie in lies(watcher, lately, hidden)]
        holdings.append((time.monotonic() - began, Holdings.of(daemon)))
        print(f"\r{len(passed)} faults", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    found.lasted_s = time.monotonic() - began
    return passed, holdings


def since_then(fresh: Traffic, since: float) -> list[object]:
    """Give what ended lately: the list is in the order of ends, and grows while it is read."""
    lately = []
    for each in reversed(fresh.outcomes[:]):
        if each.began_at + each.took_s < since:
            break
        lately.append(each)
    return lately


def make_whole(daemon: RunningDaemon, faults: FaultClient) -> None:
    """Wait until it serves; where a person must act, act as one."""
    with contextlib.suppress(AssertionError):
        daemon.wait_for("ready", within_s=12)
        return
    faults.allow()
    for name in ("litellm", "raw"):
        daemon.client.restart(name)
    daemon.wait_for("ready", within_s=20)


def fates_of(fresh: Traffic) -> list[Fate]:
    return [Fate("fresh", e.name, e.began_at, e.took_s, e.what) for e in fresh.outcomes]


def judge_losses(
    found: Findings, passed: Sequence[Passed], *loads: Sequence[Fate], raw: Sequence[Fate]
) -> None:
    cutting = [each for each in passed if each.cuts]
    groups = [*((fates, cutting, 0.0) for fates in loads), (raw, passed, RAW_PAUSES_S[1])]
    for fates, excuses, idle_s in groups:
        for fate in fates:
            # An exception of an SDK has a sentence behind its name.
            end = fate.what.partition(":")[0]
            found.requests.setdefault(fate.client, Counter())[end] += 1
            if not fate.is_lost:
                continue
            if any(was_taken(fate, each, idle_s) for each in excuses):
                found.lost_under_way += 1
            else:
                found.lost_otherwise.append(f"{fate.client}: {fate.what}, at {fate.began_at:.1f}")


def was_taken(fate: Fate, fault: Passed, idle_s: float) -> bool:
    """Was it under way during the fault, or its connection idle for up to `idle_s` before it?"""
    ended = fate.began_at + fate.took_s
    was_there = fate.began_at - idle_s <= fault.ended
    return was_there and fault.began <= ended <= fault.ended + AFTERMATH_S


def judge_growth(
    found: Findings, holdings: Sequence[tuple[float, Holdings]], warm_up_s: float
) -> None:
    warm = [(at, each) for at, each in holdings if at >= warm_up_s]
    if len(warm) < 4:
        found.grew.append(f"only {len(warm)} looks after the warm-up: too short a run")
        return
    hours = [at / 3600 for at, _ in warm]
    megabytes = [each.resident_bytes / 1e6 for _, each in warm]
    found.growth_mb_an_hour, at_zero = statistics.linear_regression(hours, megabytes)
    apart = [
        mb - at_zero - found.growth_mb_an_hour * hour
        for hour, mb in zip(hours, megabytes, strict=True)
    ]
    spread = sum((hour - statistics.mean(hours)) ** 2 for hour in hours)
    found.growth_error = (sum(x * x for x in apart) / (len(apart) - 2) / spread) ** 0.5
    found.first, found.last = warm[0][1], warm[-1][1]
    quarter = max(len(warm) // 4, 1)
    for name, spare in SPARE.items():
        values = [getattr(each, name) for _, each in warm]
        before, after = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
        if after > before + spare:
            found.grew.append(f"{name}: {before:g} became {after:g}")


def judge_rest(found: Findings, daemon: RunningDaemon, alone: Holdings) -> None:
    """Without a load it lets go of all but what it held before."""

    def has_let_go() -> bool:
        now = Holdings.of(daemon)
        return all(getattr(now, name) <= getattr(alone, name) + SPARE[name] for name in SPARE)

    try:
        daemon.wait_until(has_let_go, "lets go", within_s=60)
    except AssertionError:
        found.grew.append(f"at rest {alone} became {Holdings.of(daemon)}")


def text_of(found: Findings) -> str:
    lines = [f"seed {found.seed}, {found.lasted_s / 60:.1f} minutes"]
    lines += [f"  {count:4} x {name}" for name, count in sorted(found.faults.items())]
    for client, ends in sorted(found.requests.items()):
        lines.append(f"  {client}: {', '.join(f'{count} {end}' for end, count in ends.items())}")
    lines += [
        f"lost with what a fault took: {found.lost_under_way}; otherwise: "
        f"{len(found.lost_otherwise)}; refused: {len(found.refusals)}",
        f"states untrue for longer than allowed: {len(found.untrue)}",
        f"longest from the end of a fault to ready: {found.longest_to_whole_s:.1f} s",
        f"memory: {found.growth_mb_an_hour:+.2f} ± {found.growth_error:.2f} MB an hour, warmed up",
        f"  after the warm-up {found.first}",
        f"  at the end        {found.last}",
    ]
    lines += [f"WRONG: {each}" for each in found.wrongs()] or ["all as it is to be"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
