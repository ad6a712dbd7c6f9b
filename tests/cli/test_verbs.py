"""llmgwctl run as people run it: a process of its own against a live control server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from llmgwctl import __version__
from llmgwctl.api.client import Client
from llmgwctl.errors import NotRunning, Unreachable, UsageError
from llmgwctl.wire import EventKind, Exit, State
from support import sample
from support.plain_daemon import Served, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "llmgwctl"]
ESCAPE = "\x1b["


def environment(path: str, **changes: str) -> dict[str, str]:
    kept = {"PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV"}
    inherited = {name: value for name, value in os.environ.items() if name in kept}
    return inherited | {"LLMGW_SOCKET": path, "TERM": "xterm", "PYTHONUTF8": "1"} | changes


def run(path: str, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        env=environment(path, **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def started(path: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *words],
        env=environment(path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def watched(served: Served) -> None:
    served.until(lambda: served.daemon.watchers == 1)


# What it costs.

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
    assert not [name for name, file in files.items() if "site-packages" in file]
    assert not [name for name in files if name.split(".")[0] == "llmgwd"]


# status


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


def on_a_terminal(
    path: str, *words: str, keys: Callable[[str], bytes] | None = None, **changes: str
) -> tuple[int, str]:
    """Run on a pseudo-terminal; `keys` is given all that was shown so far, and types once."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [*COMMAND, *words], environment(path, **changes))
    shown = b""
    try:
        while select.select([terminal], [], [], 20)[0]:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # Linux's way to say that the last writer has gone
                chunk = b""
            if not chunk:
                break
            shown += chunk
            if keys is not None and (typed := keys(shown.decode(errors="ignore"))):
                os.write(terminal, typed)
                keys = None
    finally:
        os.close(terminal)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGHUP)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown.decode()


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


# wait


def test_wait_is_told_and_does_not_ask_again(folder: Path) -> None:
    with serve(folder, sample.RECONNECTING) as served, started(served.path, "wait") as waiting:
        watched(served)
        asked = served.server.requests_count
        served.do(served.daemon.change, "litellm", State.DEGRADED)
        served.do(served.daemon.change, "litellm", State.READY)

        assert waiting.wait(30) == Exit.OK
        assert served.server.requests_count == asked == 1


def test_wait_returns_at_once_where_it_is_so(served: Served) -> None:
    assert run(served.path, "wait", "litellm").returncode == Exit.OK
    assert run(served.path, "wait", "dashboard", "--for", "blocked").returncode == Exit.OK


def test_wait_for_serving_takes_degraded_for_an_answer(folder: Path) -> None:
    with serve(folder, sample.DEGRADED) as served:
        assert run(served.path, "wait", "--for", "serving").returncode == Exit.OK
        assert run(served.path, "wait", "--timeout", "0s").returncode == Exit.NOT_SO


def test_wait_leaves_out_what_was_stopped_on_purpose(folder: Path) -> None:
    both = sample.status(sample.forward(), sample.forward("old", "stopped"))
    with serve(folder, both) as served:
        assert run(served.path, "wait", "--timeout", "5s").returncode == Exit.OK


def test_wait_that_ends_too_late_says_why_and_what_to_do(served: Served) -> None:
    blocked = run(served.path, "wait", "dashboard", "--timeout", "50ms")
    lost = run(served.path, "wait", "staging", "--timeout", "50ms")

    assert blocked.returncode == Exit.NEEDS_PERSON
    assert blocked.stderr == (
        "llmgwctl: dashboard is blocked, not ready, after 0.05 s: your login to the cluster "
        "homelab has expired: the API server answered 401 Unauthorized; "
        "aws sso login --profile homelab\n"
    )
    assert lost.returncode == Exit.NOT_SO


def test_wait_waits_for_a_daemon_that_is_not_there_yet(folder: Path) -> None:
    path = str(folder / "llmgw" / "control.sock")
    with started(path, "wait") as waiting:
        assert waiting.stderr is not None
        assert "waiting for it" in waiting.stderr.readline()
        with serve(folder, sample.READY):
            assert waiting.wait(30) == Exit.OK


def test_wait_in_vain_for_a_daemon_is_unreachable(folder: Path) -> None:
    assert run(str(folder / "none.sock"), "wait", "--timeout", "0").returncode == Exit.UNREACHABLE


# events


def test_events_shows_the_past_and_nothing_else(served: Served) -> None:
    def happen() -> None:
        served.daemon.tell(
            EventKind.CONDITION_RAISED,
            forward="litellm",
            message="Your login has expired.",
            remedy="aws sso login",
            time="2999-01-01T00:00:00.000Z",
        )
        served.daemon.tell(EventKind.WOKE_UP, time="2001-01-01T00:00:00.000Z")

    served.do(happen)

    done = run(served.path, "events", TZ="UTC")

    assert done.returncode == Exit.OK
    assert done.stdout.splitlines() == [
        "2999-01-01 00:00:00 ! litellm: Your login has expired.",
        "                      → aws sso login",
    ]
    assert len(run(served.path, "events", "--json").stdout.splitlines()) == 1


def test_events_says_so_where_nothing_happened(served: Served) -> None:
    done = run(served.path, "events", "--since", "2h")

    assert (done.stdout, done.stderr) == ("", "nothing happened in the last 2h\n")


def test_events_follows_across_a_restart_and_shows_nothing_twice(folder: Path) -> None:
    with (
        serve(folder, sample.READY) as served,
        started(served.path, "events", "-f", "--json") as following,
    ):
        assert following.stdout is not None
        lines = (json.loads(line) for line in following.stdout)
        assert next(lines)["kind"] == "snapshot"
        served.do(lambda: served.daemon.tell(EventKind.WOKE_UP, time="2998-01-01T00:00:00.000Z"))
        assert next(lines)["kind"] == "woke-up"
        served.do(served.daemon.end_watchers)
        assert next(lines)["kind"] == "snapshot"
        served.do(
            lambda: served.daemon.tell(EventKind.CONFIG_RELOADED, time="2999-01-01T00:00:00.000Z")
        )
        assert next(lines)["kind"] == "config-reloaded"


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
    assert both.stdout.startswith("not healthy: dashboard is blocked, staging is reconnecting")


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
            "argument --timeout: 'soon' is no duration: write 90, 30s, 15m, 1.5h, 1h30m or 7d; "
            "see: llmgwctl wait --help",
        ),
        (("wait", "--timeout", "1h30"), "argument --timeout: '1h30' is no duration"),
        (("events", "--since", ""), "argument --since: '' is no duration"),
        (("events", "--since", "99999999d"), "argument --since: '99999999d' is no duration"),
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


def test_a_socket_path_too_long_is_said_with_both_numbers() -> None:
    with pytest.raises(UsageError, match=r"has 2\d\d bytes, and \w+ allows 10[37]"):
        Client("/tmp/" + "x" * 200).status()


def test_nobody_at_the_socket_is_not_running(folder: Path) -> None:
    left = folder / "left.sock"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(left))

    for path in (str(left), str(folder / "never.sock")):
        with pytest.raises(NotRunning):
            Client(path).status()
        done = run(path, "status")
        assert done.returncode == Exit.UNREACHABLE
        assert done.stderr.startswith("llmgwctl: llmgwd is not running")
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_socket_of_another_user_is_refused_unasked(served: Served) -> None:
    os.chown(served.path, 12345, 12345)

    with pytest.raises(Unreachable, match="belongs to uid 12345, not to you"):
        Client(served.path).status()

    assert served.server.requests_count == 0


def test_a_file_that_is_no_socket_is_said_to_be_none(folder: Path) -> None:
    (folder / "letter").write_text("")

    with pytest.raises(Unreachable, match="no socket"):
        Client(str(folder / "letter")).status()


@contextmanager
def answering(folder: Path, answer: bytes, *, hangs: bool = False) -> Iterator[str]:
    """Listen, and give whoever connects these bytes, whatever is asked."""
    path = str(folder / "odd.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        done = threading.Event()

        def serve_one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if hangs:
                    done.wait(30)

        thread = threading.Thread(target=serve_one)
        thread.start()
        yield path
        done.set()
        thread.join()


OK_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (OK_HEAD + b"\r\n" + b'{"api": 2, "forwards": "new"}', "speaks v1 .* this llmgwd v2"),
        (
            b'HTTP/1.0 404 Not Found\r\n\r\n{"error":{"code":"route-unknown",'
            b'"message":"m","remedy":""}}',
            "speaks v1 .* an older or newer one",
        ),
        (OK_HEAD + b"Content-Length: 100\r\n\r\n{", "broke off after 1 of 100 bytes"),
        (OK_HEAD + b"Content-Le", "closed the connection before it had answered"),
        (b"", "closed the connection before it had answered"),
        (OK_HEAD + b"\r\n{half", "no JSON"),
        (OK_HEAD + b"\r\n[]", "none at all"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "speaks no HTTP"),
        (b"HTTP/1.0 418 \r\n\r\nshort and stout", "status 418 and no reason"),
    ],
)
def test_an_answer_that_cannot_be_right_is_told_apart_from_no_daemon(
    folder: Path, answer: bytes, complaint: str
) -> None:
    with answering(folder, answer) as path:
        done = run(path, "status")

    assert done.returncode == Exit.UNREACHABLE
    assert re.search(complaint, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_daemon_that_hangs_is_named_with_its_pid(folder: Path) -> None:
    with (
        answering(folder, b"", hangs=True) as path,
        pytest.raises(Unreachable, match=r"gave no answer within 0\.05 s") as caught,
    ):
        Client(path, timeout_s=0.05).status()

    if sys.platform == "linux":
        assert f"pid {os.getpid()}" in str(caught.value)
