"""What the README shows of `--json` and jq is what happens."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_verbs import COMMAND, environment

from llmgwctl.wire import EventKind
from support import golden

if TYPE_CHECKING:
    from support.plain_daemon import Served

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_each_jq_line_of_the_readme_gives_what_it_promises(served: Served) -> None:
    lines = re.findall(r"^llmgwctl .*--json \| jq .*$", README.read_text(), re.MULTILINE)
    for outage_s in (1.5, 2.25):
        happened = {"time": "2999-01-01T00:00:00.000Z", "outage_s": outage_s}
        served.do(lambda fields: served.daemon.tell(EventKind.ROUTE_UP, **fields), happened)

    shown = [f"$ {line}\n{run_line(line, served)}" for line in lines]

    assert len(lines) >= 3
    golden.check("readme-jq.txt", "\n".join(shown))


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
