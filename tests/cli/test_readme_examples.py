"""What the read-mes show of `--json` and jq is what happens, and each benchmark can be started."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from client_process import COMMAND, environment

from llmgwctl.wire import EventKind
from support.client import golden

if TYPE_CHECKING:
    from support.client.plain_daemon import Served

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BENCHES = [
    *sorted((ROOT / "tests" / "bench").glob("bench_*.py")),
    ROOT / "tests" / "bench" / "all.py",
    ROOT / "tests" / "soak" / "soak.py",
]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_each_jq_line_of_the_readme_gives_what_it_promises(served: Served) -> None:
    lines = re.findall(r"^llmgwctl .*--json \| jq .*$", README.read_text(), re.MULTILINE)
    for outage_s in (1.5, 2.25):
        happened = {"time": "2999-01-01T00:00:00.000Z", "outage_s": outage_s}
        served.do(lambda fields: served.daemon.tell(EventKind.ROUTE_UP, **fields), happened)

    shown = [f"$ {line}\n{run_line(line, served)}" for line in lines]

    assert len(lines) >= 3
    golden.check("readme-jq.txt", "\n".join(shown))


@pytest.mark.parametrize("bench", BENCHES, ids=[path.stem for path in BENCHES])
def test_each_benchmark_is_in_the_readme_and_can_be_started(bench: Path) -> None:
    command = f"python {bench.relative_to(ROOT)}"
    words = [sys.executable, bench, "--help"]

    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert re.search(rf"(`|^    ){command}", (ROOT / "tests" / "README.md").read_text(), re.M)
    assert done.returncode == 0, done.stderr
    assert command in done.stdout


def run_line(line: str, served: Served) -> str:
    script = f'llmgwctl() {{ {shlex.join(COMMAND)} "$@"; }}\n{line}'
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(served.path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
