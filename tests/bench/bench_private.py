"""What privacy costs: the first byte with and without the look at who connects, and the injection.

    python tests/bench/bench_private.py [--requests 2000] [--json]

Four forwards run at once beside each other, against one cluster: kubectl's, ours open to anyone,
ours for this user alone, and ours that puts the key in as well. Each in its turn gets a request, so
that whatever else the machine does meets all alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from data_path import contenders  # noqa: E402 - found by the path above
from data_path.plan import RAW  # noqa: E402
from report import Figures, show  # noqa: E402

from llmgwctl.rules.placeholder import PLACEHOLDER  # noqa: E402
from llmgwsim.gateway.settings import GatewaySettings  # noqa: E402
from llmgwsim.remote import cluster_process  # noqa: E402

KEY = GatewaySettings.master_key
ANYONE, PRIVATE, INJECTING, KUBECTL = "anyone", "this user", "injecting", "kubectl"
WHO = {
    ANYONE: (contenders.llmgw(settings='allow = "anyone"\n'), KEY),
    PRIVATE: (contenders.llmgw(), KEY),
    INJECTING: (contenders.llmgw(settings="inject = true\n"), PLACEHOLDER),
    KUBECTL: (contenders.kubectl(**RAW), KEY),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measured(options.requests)
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    show("first byte of a fresh connection", result, PRIVATE, KUBECTL)
    for name, more, less in (
        ("the look at the peer", PRIVATE, ANYONE),
        ("the injection", INJECTING, PRIVATE),
    ):
        costs = {figure: result[more][figure] - result[less][figure] for figure in result[more]}
        ratio = result[more]["p50_ms"] / result[less]["p50_ms"]
        print(f"{name}: {costs['p50_ms']:+.3f} ms at the median, {ratio:.3f} times as long;")
        print(f"  {costs['least_ms']:+.3f} ms at the least, {costs['cpu_us']:+g} us of processor")
    return 0


def measured(count: int) -> dict[str, Figures]:
    took: dict[str, list[float]] = {name: [] for name in WHO}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(cluster_process())
        running = {
            name: stack.enter_context(start(cluster, folder)) for name, (start, _) in WHO.items()
        }
        for name, contender in running.items():
            for _ in range(50):
                first_byte_s(contender.port, WHO[name][1])
        used = {name: contender.processor_s() for name, contender in running.items()}
        for _ in range(count):
            for name, contender in running.items():
                took[name].append(first_byte_s(contender.port, WHO[name][1]))
        used = {name: running[name].processor_s() - before for name, before in used.items()}
    return {
        name: {
            "p50_ms": round(statistics.median(each) * 1000, 3),
            "p10_ms": round(statistics.quantiles(each, n=10)[0] * 1000, 3),
            "p90_ms": round(statistics.quantiles(each, n=10)[-1] * 1000, 3),
            "least_ms": round(min(each) * 1000, 3),
            "cpu_us": round(used[name] / count * 1e6),
        }
        for name, each in took.items()
    }


def first_byte_s(port: int, key: str) -> float:
    request = (
        "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\n\r\n"
    ).encode()
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(request)
        answer = client.recv(65536)
        took = time.perf_counter() - began
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
        # Not to the end: kubectl waits for its client to close.
        while not answer.endswith(b"}"):
            answer += client.recv(65536)
    return took


if __name__ == "__main__":
    sys.exit(main())
