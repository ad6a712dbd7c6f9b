"""How long `llmgwctl status` takes against a bare interpreter, in pairs of the same run.

    python tests/bench/bench_status.py [--rounds 30] [--json] [--socket PATH]

Without --socket it asks a control server over plain data, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
BARE = [sys.executable, "-c", "pass"]
STATUS = [sys.executable, "-m", "llmgwctl", "status"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--socket", metavar="PATH")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.socket:
        return report(measure(options.socket, options.rounds), options.json)
    with plain_server() as path:
        return report(measure(path, options.rounds), options.json)


def measure(path: str, rounds: int) -> dict[str, float]:
    """Time pairs one after the other, so that a busy moment of the machine meets both."""
    environ = {**os.environ, "LLMGW_SOCKET": path}
    # An installed program has its bytecode; a checkout must be let to write it.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for command in (BARE, STATUS):
        took_s(command, environ)
    pairs = [(took_s(BARE, environ), took_s(STATUS, environ)) for _ in range(rounds)]
    return {
        "rounds": rounds,
        "bare_ms": round(statistics.median(bare for bare, _ in pairs) * 1000, 1),
        "status_ms": round(statistics.median(status for _, status in pairs) * 1000, 1),
        "status_best_ms": round(min(status for _, status in pairs) * 1000, 1),
        "ratio": round(statistics.median(status / bare for bare, status in pairs), 2),
    }


def took_s(command: list[str], environ: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=False)
    took = time.perf_counter() - start
    # A forward that does not serve is an answer too; no daemon is none.
    if done.returncode not in (0, 1, 4):
        raise SystemExit(f"{command} ended with {done.returncode}")
    return took


def report(found: dict[str, float], as_json: bool) -> int:
    if as_json:
        print(json.dumps(found))
    else:
        print(
            f"status {found['status_ms']} ms (best {found['status_best_ms']}), "
            f"bare interpreter {found['bare_ms']} ms, {found['ratio']} times, "
            f"{found['rounds']:.0f} pairs"
        )
    return 0


@contextmanager
def plain_server() -> Iterator[str]:
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2]);"
        "from support.client import sample; from support.client.plain_daemon import serve\n"
        "with serve(pathlib.Path(sys.argv[1]), sample.SEVERAL) as served:\n"
        "    print(served.path, flush=True); sys.stdin.read()\n"
    )
    with tempfile.TemporaryDirectory(prefix="lg-") as folder:
        command = [sys.executable, "-c", code, folder, str(HERE.parent)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
            assert server.stdout is not None
            assert server.stdin is not None
            yield server.stdout.readline().strip()
            server.stdin.close()


if __name__ == "__main__":
    sys.exit(main())
