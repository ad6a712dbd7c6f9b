"""What kept connections lose through each fault: ours and `kubectl port-forward` in a loop.

    python tests/bench/bench_kept.py [--only idle,rollout] [--rtt 0,40ms] [--json]

Each fault meets a fresh simulated cluster and clients that keep their connections and repeat
nothing: Node's http agent, or a client by hand where there is no node. The gateway closes a
connection that was idle for 5 s, and a pod that ends closes all of them. `lost` counts requests
that were not answered with their own bytes; `longest wait` is of those that were. All rows take
some eight minutes for each round-trip time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "bench")]

from data_path.contenders import (  # noqa: E402 - by the path above
    Contender,
    kubectl_in_a_loop,
    llmgw_handed_over,
)
from report import Figures, chosen, show  # noqa: E402

from llmgwsim.remote import FaultClient, cluster_process  # noqa: E402
from support.load.kept_load import NODE, Group, kept_load  # noqa: E402

if TYPE_CHECKING:
    from support.load.ledger import Ledger

CONTENDERS = (
    ("llmgw", llmgw_handed_over()),
    ("kubectl in a loop", kubectl_in_a_loop()),
)
KIND = "node agent" if NODE else "raw"
# As people type and read: many turns begin just as the gateway gives the connection up.
AROUND_THE_IDLE_TIME = Group(KIND, 40, (4.9, 5.2))
BUSY = Group(KIND, 20, (0.25, 0.25))
CALM_S = 2.0
Act = Callable[[FaultClient, Contender], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """`act` does and undoes it; `then_s` is what the forward gets to be itself again."""

    name: str
    title: str
    group: Group
    act: Act
    then_s: float


def _nothing(faults: FaultClient, contender: Contender) -> None:
    time.sleep(26)


def _rollout(faults: FaultClient, contender: Contender) -> None:
    faults.roll(wait=True)


def _one_after_the_other(act: Callable[[FaultClient, str], object]) -> Act:
    def both(faults: FaultClient, contender: Contender) -> None:
        for pod in [each["name"] for each in faults.pods()]:
            act(faults, pod)
            time.sleep(6)

    return both


def _api_restart(faults: FaultClient, contender: Contender) -> None:
    faults.api_down()
    time.sleep(3)
    faults.api_up()


def _restart(faults: FaultClient, contender: Contender) -> None:
    assert contender.restart is not None
    contender.restart()


_delete = _one_after_the_other(lambda faults, pod: faults.delete_pod(pod=pod))
_kill = _one_after_the_other(lambda faults, pod: faults.delete_pod(pod=pod, graceful=False))

FAULTS = (
    Fault("idle", "40 clients ask again after 4.9 to 5.2 s", AROUND_THE_IDLE_TIME, _nothing, 0),
    Fault("rollout", "two pods are rolled out", BUSY, _rollout, 8),
    Fault("deleted", "each of two pods is deleted", BUSY, _delete, 0),
    Fault("killed", "each of two pods is killed", BUSY, _kill, 0),
    Fault("api", "the API server is killed for 3 s", BUSY, _api_restart, 8),
    Fault("restart", "the forward's own process is restarted", BUSY, _restart, 10),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="faults, separated by commas")
    parser.add_argument("--rtt", default="0,40ms", help="round-trip times to the API server")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = chosen(parser, options.only, [fault.name for fault in FAULTS])
    results = {}
    for rtt in options.rtt.split(","):
        for fault in FAULTS:
            if fault.name in names:
                title = f"{fault.title}, {rtt} round trip" if rtt != "0" else fault.title
                results[title] = run(fault, rtt)
                if not options.json:
                    show(title, results[title], *(name for name, _ in CONTENDERS))
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


def run(fault: Fault, rtt: str) -> dict[str, Figures]:
    result = {}
    for name, start in CONTENDERS:
        with (
            tempfile.TemporaryDirectory() as folder,
            cluster_process(["--rtt", rtt]) as cluster,
            start(cluster, Path(folder)) as contender,
        ):
            with kept_load(contender.port, [fault.group]) as ledger:
                time.sleep(CALM_S)
                fault.act(cluster.faults, contender)
                time.sleep(fault.then_s)
            result[name] = figures_of(ledger)
    return result


def figures_of(ledger: Ledger) -> Figures:
    return {
        "requests": len(ledger.fates),
        "lost": len(ledger.lost),
        "longest wait, s": round(ledger.longest_s, 2),
        "first byte fresh p50, ms": round(ledger.first_byte_p50_ms(is_kept=False), 1),
        "first byte kept p50, ms": round(ledger.first_byte_p50_ms(is_kept=True), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
