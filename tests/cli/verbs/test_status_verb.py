"""llmgwctl status run as people run it: what it costs, its forms, and the live view."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from client_process import environment, on_a_terminal, run

from llmgwctl.wire import Exit, State
from support.client import sample
from support.client.plain_daemon import Served, serve

if TYPE_CHECKING:
    from pathlib import Path


ESCAPE = "\x1b["


FORBIDDEN = (
    *("dataclasses", "inspect", "asyncio", "http.client", "urllib.request", "urllib.parse"),
    *("subprocess", "ssl", "email", "datetime", "logging", "typing", "pathlib", "shutil"),
)
COUNTING = """
import sys
from llmgwctl.__main__ import main
status = main(["status"])
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print("\\n".join(f"{name} {file}" for name, file in files.items()), file=sys.stderr)
"""


def test_status_imports_at_most_90_modules_and_none_that_is_forbidden(served: Served) -> None:
    # -S: what site loads for an environment's own .pth files is not ours.
    path = os.pathsep.join(each for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, "-S", "-c", COUNTING],
        env=environment(served.path, PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "litellm" in done.stdout
    files = dict(line.split(" ", 1) for line in done.stderr.splitlines())
    assert len(files) <= 90, sorted(files)
    assert not [name for name in FORBIDDEN if name in files]
    others = {name: file for name, file in files.items() if name.split(".")[0] != "llmgwctl"}
    assert not [name for name, file in others.items() if "site-packages" in file]
    assert not [name for name in files if name.split(".")[0] == "llmgwd"]


def test_status_shows_the_table_and_its_exit_status(served: Served) -> None:
    done = run(served.path, "status")

    assert (done.returncode, done.stderr) == (Exit.NEEDS_PERSON, "")
    assert done.stdout.splitlines()[1].startswith("● litellm    ready")
    assert done.stdout == run(served.path).stdout


def test_status_json_is_the_daemons_answer(served: Served) -> None:
    assert json.loads(run(served.path, "status", "--json").stdout) == sample.SEVERAL
    one = json.loads(run(served.path, "status", "--json", "staging").stdout)
    assert one == sample.SEVERAL["forwards"][2]


def test_status_of_one_forward_shows_its_layers(served: Served) -> None:
    done = run(served.path, "status", "litellm")

    assert done.returncode == Exit.OK
    layers = re.findall(r"^  ✓ ([\w ]+?)  ", done.stdout, re.MULTILINE)
    assert layers == ["port", "login", "API server", "pod", "tunnel", "gateway"]


def test_short_is_one_line_without_colour_even_on_a_terminal(served: Served) -> None:
    expected = "✗ dashboard blocked ↻ staging reconnecting ● 1 ready (3 held)\n"

    assert run(served.path, "status", "--short").stdout == expected
    code, shown = on_a_terminal(served.path, "status", "--short")
    assert (code, shown) == (Exit.NEEDS_PERSON, expected.replace("\n", "\r\n"))
    assert ESCAPE in run(served.path, "status", "--short", "--color", "always").stdout


def test_short_says_off_where_no_daemon_is_and_nothing_on_stderr(folder: Path) -> None:
    done = run(str(folder / "none.sock"), "status", "--short")

    assert (done.returncode, done.stdout, done.stderr) == (Exit.UNREACHABLE, "■ llmgwd off\n", "")


def test_colour_is_for_terminals_that_want_it(served: Served) -> None:
    assert ESCAPE in on_a_terminal(served.path, "status")[1]
    assert ESCAPE not in on_a_terminal(served.path, "status", NO_COLOR="1")[1]
    assert ESCAPE not in on_a_terminal(served.path, "status", TERM="dumb")[1]
    assert ESCAPE not in on_a_terminal(served.path, "status", "--color=never")[1]
    assert ESCAPE not in run(served.path, "status").stdout
    assert ESCAPE in run(served.path, "status", "--color", "always", NO_COLOR="1").stdout


def test_an_output_that_cannot_show_a_sign_is_no_traceback(served: Served) -> None:
    done = run(served.path, "status", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert (done.returncode, done.stderr) == (Exit.NEEDS_PERSON, "")
    assert "* litellm" in done.stdout


def test_watch_redraws_on_an_event_and_leaves_the_screen_as_it_was(served: Served) -> None:
    def keys(shown: str) -> bytes:
        if "stopped by you: llmgwctl start litellm" in shown:
            return b"q"
        if served.daemon.watchers and served.daemon.value["forwards"][0]["state"] == "ready":
            served.do(served.daemon.change, "litellm", State.STOPPED)
        return b""

    code, shown = on_a_terminal(served.path, "status", "--watch", keys=keys)

    assert code == Exit.OK
    assert shown.startswith("\x1b[?1049h")
    assert shown.endswith("\x1b[?25h\x1b[?1049l")


def test_watch_outlives_the_daemon_and_says_so(folder: Path) -> None:
    with serve(folder, sample.READY) as first:
        seen: list[str] = []

        def keys(shown: str) -> bytes:
            if "ready" in shown and first.daemon.watchers and not seen:
                seen.append("ready")
                first.do(first.daemon.end_watchers)
                os.rename(first.path, f"{first.path}.away")
            if "waiting for it" in shown and len(seen) == 1:
                seen.append("gone")
                os.rename(f"{first.path}.away", first.path)
            is_back = shown.rfind("ready") > shown.rfind("waiting for it")
            return b"q" if len(seen) == 2 and is_back else b""

        code, _ = on_a_terminal(first.path, "status", "-w", keys=keys)

    assert (code, seen) == (Exit.OK, ["ready", "gone"])


def test_watch_wants_a_terminal(served: Served) -> None:
    done = run(served.path, "status", "--watch")

    assert done.returncode == Exit.USAGE
    assert "llmgwctl events -f --json" in done.stderr
