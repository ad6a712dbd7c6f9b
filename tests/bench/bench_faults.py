"""What a fault costs those who are served: ours and `kubectl port-forward` in a loop, in one run.

    python tests/bench/bench_faults.py [--only rollout,asleep] [--rate 40] [--json]

Each fault meets a fresh simulated cluster and a forward that serves a steady rate of checksummed
requests, each on a connection of its own (so steady that ours may hold more than it usually does).
`lost` counts those that were not answered with their own bytes: cut or reset, answered 502 because
the fault took what had been sent, refused (no connection), or answered 503 because they had waited
too long or were more than are held. `gap` is the longest time in which no answer came. All rows
take some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "bench")]

from data_path.contenders import Contender, kubectl_in_a_loop, llmgw  # noqa: E402 - by the path above
from report import Figures, chosen, show  # noqa: E402

from llmgwsim.remote import FaultClient, cluster_process  # noqa: E402
from support.load.traffic import Outcome, Traffic  # noqa: E402

CONTENDERS = (
    ("llmgw", llmgw(settings="hold_limit = 2000\n")),
    ("kubectl in a loop", kubectl_in_a_loop()),
)
CALM_S = 1.0
Act = Callable[[FaultClient, Contender], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """`act` does and undoes it; `then_s` is what the forward gets to be itself again.

    `is_asleep`: those who are served sleep, too; they ask when it is over.
    """

    name: str
    title: str
    act: Act
    then_s: float
    is_asleep: bool = False


def _rollout(faults: FaultClient, _: Contender) -> None:
    faults.roll(wait=True)


def _all_pods(faults: FaultClient, _: Contender) -> None:
    faults.delete_all_pods(hold_s=5.0)
    time.sleep(5)


def _api_killed(faults: FaultClient, _: Contender) -> None:
    faults.api_down()
    time.sleep(30)
    faults.api_up()


def _api_ended(faults: FaultClient, _: Contender) -> None:
    """As in an upgrade of the control plane: what is open lives for a minute."""
    faults.api_down(graceful=True)
    time.sleep(20)
    faults.api_up()


def _black_hole(faults: FaultClient, _: Contender) -> None:
    faults.black_hole()
    time.sleep(15)
    faults.restore()


def _sleep(faults: FaultClient, contender: Contender) -> None:
    """A closed lid: the process stands still, and its tunnels die without a word."""
    contender.signal(signal.SIGSTOP)
    faults.black_hole(new=False)
    time.sleep(60)
    contender.signal(signal.SIGCONT)


def _one_after_the_other(act: Callable[[FaultClient, str], object]) -> Act:
    """To each of the two pods, so that it is everybody's turn once."""

    def both(faults: FaultClient, _: Contender) -> None:
        for pod in [each["name"] for each in faults.pods()]:
            act(faults, pod)
            time.sleep(8)

    return both


_delete = _one_after_the_other(lambda faults, pod: faults.delete_pod(pod=pod))
_kill = _one_after_the_other(lambda faults, pod: faults.delete_pod(pod=pod, graceful=False))
_crash = _one_after_the_other(lambda faults, pod: faults.crash(pod=pod))

FAULTS = (
    Fault("deleted", "each of two pods is deleted", _delete, 0),
    Fault("killed", "each of two pods is killed", _kill, 0),
    Fault("crash", "the containers of two pods crash", _crash, 0),
    Fault("rollout", "two pods are rolled out", _rollout, 8),
    Fault("allgone", "no pod for 5 s", _all_pods, 8),
    Fault("apikilled", "the API server is killed for 30 s", _api_killed, 10),
    Fault("apiended", "the API server ends, back after 20 s", _api_ended, 5),
    Fault("blackhole", "the network swallows all for 15 s", _black_hole, 10),
    Fault("asleep", "asleep for 60 s, tunnels dead", _sleep, 10, is_asleep=True),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="faults, separated by commas")
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = chosen(parser, options.only, [fault.name for fault in FAULTS])
    results = {}
    for fault in FAULTS:
        if fault.name in names:
            results[fault.title] = run(fault, options.rate)
            if not options.json:
                show(fault.title, results[fault.title], *(name for name, _ in CONTENDERS))
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


def run(fault: Fault, rate: float) -> dict[str, Figures]:
    result = {}
    for name, start in CONTENDERS:
        with (
            tempfile.TemporaryDirectory() as folder,
            cluster_process() as cluster,
            start(cluster, Path(folder)) as contender,
        ):
            if fault.is_asleep:
                fault.act(cluster.faults, contender)
            with Traffic(contender.port, rate) as traffic:
                time.sleep(CALM_S)
                if not fault.is_asleep:
                    fault.act(cluster.faults, contender)
                time.sleep(fault.then_s)
            result[name] = figures_of(traffic.outcomes)
    return result


def figures_of(outcomes: list[Outcome]) -> Figures:
    answered = [each for each in outcomes if each.what == "ok"]
    instants = sorted(each.began_at + each.took_s for each in answered)
    instants = [outcomes[0].began_at, *instants, outcomes[-1].began_at]
    counts = Counter(each.what for each in outcomes if each.what != "ok")
    return {
        "requests": len(outcomes),
        "lost": counts.total(),
        **{what: counts.pop(what, 0) for what in ("cut", "reset", "502", "refused", "503")},
        "lost otherwise": counts.total(),
        "gap, s": round(max(after - before for before, after in pairwise(instants)), 2),
        "slowest answer, s": round(max((each.took_s for each in answered), default=0.0), 2),
    }


if __name__ == "__main__":
    sys.exit(main())
