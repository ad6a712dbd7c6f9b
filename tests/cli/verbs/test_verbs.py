"""llmgwctl's acts, mistakes and ends, in a process of its own against a live control server."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from client_process import COMMAND, environment, on_a_terminal, run, started, watched

from llmgwctl import __version__
from llmgwctl.wire import Exit, State
from support.client import sample
from support.client.plain_daemon import Served, serve

if TYPE_CHECKING:
    from pathlib import Path


# Ends.


@pytest.mark.parametrize(
    "words", [("wait", "--for", "stopped"), ("events", "-f"), ("events", "-f", "--json")]
)
def test_ctrl_c_ends_with_130_and_no_traceback(served: Served, words: tuple[str, ...]) -> None:
    with started(served.path, *words) as process:
        watched(served)
        process.send_signal(signal.SIGINT)

        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (Exit.INTERRUPTED, "")


def test_ctrl_c_ends_the_live_view_with_130_and_gives_the_screen_back(served: Served) -> None:
    code, shown = on_a_terminal(
        served.path, "status", "-w", keys=lambda shown: b"\x03" if "litellm" in shown else b""
    )

    assert code == Exit.INTERRUPTED
    assert shown.endswith("\x1b[?1049l")
    assert "Traceback" not in shown


def test_a_reader_that_leaves_is_no_error(served: Served) -> None:
    with started(served.path, "events", "-f", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        served.do(served.daemon.change, "litellm", State.STOPPED)

        assert process.wait(30) == Exit.OK
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_reader_that_was_never_there_is_no_error(served: Served) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "status"],
        env=environment(served.path),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)

    assert done.stderr == ""


# Acts.


def test_health_is_an_answer_and_an_exit_status(served: Served) -> None:
    one = run(served.path, "health", "litellm")
    both = run(served.path, "health")

    assert (one.returncode, one.stdout) == (Exit.OK, "healthy\n")
    assert both.returncode == Exit.NOT_SO
    assert both.stdout.startswith("not healthy: dashboard is blocked (your login to the cluster")
    assert ", staging is reconnecting (none of the 2 pods" in both.stdout


@pytest.mark.parametrize(
    ("verb", "state"), [("stop", "stopped"), ("start", "starting"), ("restart", "reconnecting")]
)
def test_an_act_says_what_the_forward_is_then(served: Served, verb: str, state: str) -> None:
    done = run(served.path, verb, "litellm")

    assert (done.returncode, done.stdout) == (Exit.OK, f"litellm is {state}\n")


def test_an_act_without_a_name_is_for_the_only_forward(folder: Path, served: Served) -> None:
    several = run(served.path, "stop")
    with serve(folder / "one", sample.READY) as only:
        one = run(only.path, "stop")

    assert (several.returncode, one.returncode) == (Exit.USAGE, Exit.OK)
    assert "name one: litellm, dashboard, staging, old" in several.stderr


def test_reload_tells_the_daemons_sentence(served: Served) -> None:
    assert "config.toml" in run(served.path, "reload").stdout
    served.daemon.is_config_wrong = True

    done = run(served.path, "reload")

    assert done.returncode == Exit.NOT_SO
    assert done.stderr == ("llmgwctl: config.toml: port = 70000, but a port is 1 to 65535\n")


def test_versions_that_differ_are_one_warning(folder: Path, served: Served) -> None:
    same = run(served.path, "version")
    older = {**sample.READY, "version": "0.0.1"}
    with serve(folder / "old", older) as old:  # type: ignore[arg-type]
        differing = run(old.path, "version")

    assert (same.returncode, same.stderr) == (Exit.OK, "")
    assert same.stdout == f"llmgwctl {__version__}\nllmgwd   {sample.READY['version']}\n"
    assert differing.returncode == Exit.OK
    assert len(differing.stderr.splitlines()) == 1
    assert run(str(folder / "none"), "version").returncode == Exit.OK


def test_versions_for_a_bug_report_are_of_both_sides(folder: Path, served: Served) -> None:
    both = json.loads(run(served.path, "version", "--json").stdout)
    alone = json.loads(run(str(folder / "none"), "version", "--json").stdout)

    assert both["daemon"] == both["client"] == alone["client"]
    assert (both["llmgwctl"], both["llmgwd"]) == (__version__, sample.READY["version"])
    assert (alone["llmgwctl"], alone["llmgwd"], alone["daemon"]) == (__version__, None, None)
    assert set(both["client"]) == {"version", "python", "system", "libraries"}
    assert both["client"]["python"].endswith(platform.python_version())
    assert {"aiohttp", "kubernetes-asyncio"} < set(both["client"]["libraries"])
    assert not {"pytest", "mypy"} & set(both["client"]["libraries"])


# Bad input.


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("status", "litelm"), "there is no forward 'litelm'; did you mean litellm?"),
        (("health", "dashbord"), "there is no forward 'dashbord'; did you mean dashboard?"),
        (("stop", "stagin"), "there is no forward 'stagin'; did you mean staging?"),
        (("wait", "xyzzy"), "there is no forward 'xyzzy'; known: litellm, dashboard, staging, old"),
        (("statsu",), "there is no verb 'statsu'; did you mean: llmgwctl status"),
        (("--nope", "status"), "unknown option --nope before a verb; see: llmgwctl help"),
        (
            ("wait", "--timeout", "soon"),
            "argument --timeout: 'soon' is not a duration: write 90, 30s, 15m, 1.5h, 1h30m or 7d; "
            "see: llmgwctl wait --help",
        ),
        (("wait", "--timeout", "1h30"), "argument --timeout: '1h30' is not a duration"),
        (("events", "--since", ""), "argument --since: '' is not a duration"),
        (("events", "--since", "99999999d"), "argument --since: '99999999d' is not a duration"),
        (("wait", "--for", "redy"), "argument --for: invalid choice: 'redy'"),
        (("status", "--frob"), "unrecognized arguments: --frob; see: llmgwctl status --help"),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy_and_status_2(
    served: Served, words: tuple[str, ...], complaint: str
) -> None:
    done = run(served.path, *words)

    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert done.stderr.startswith(f"llmgwctl: {complaint}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5h", 5400), ("1h30m", 5400), ("250ms", 0.25), ("7d", 604800)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    from llmgwctl.cli.arguments import duration

    assert duration(text) == pytest.approx(seconds)
