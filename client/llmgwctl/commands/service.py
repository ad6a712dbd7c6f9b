"""llmgwctl service: install and control llmgwd as a service of systemd or launchd."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from llmgwctl.errors import ClientError, UsageError
from llmgwctl.wire import Exit, State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

EXAMPLES = (
    ("llmgwctl service install", "write, enable and start it; again after an upgrade"),
    ("llmgwctl service install --print", "show the files, write nothing"),
    ("llmgwctl service status", "what the service manager knows"),
    ("llmgwctl service logs -f", "the log of llmgwd, and new lines"),
    ("llmgwctl service uninstall", "stop and remove it and its history; the configuration stays"),
)

DESCRIPTION = """\
Run llmgwd from login on, under systemd (Linux) or launchd (macOS). The service manager holds the
ports: they are open before llmgwd starts, and no connection is refused while it restarts.

install writes the service for the llmgwd next to this llmgwctl (pipx, uv tool, venv, nix), with
the PATH, KUBECONFIG and AWS, gcloud, Azure and proxy variables of this shell, because logins by
exec plugins need them. Run it again after an upgrade, or after a change of ports or PATH."""

# A login by exec plugin takes seconds; a person at a prompt waits no longer than this.
_SETTLE_S = 15.0
_ACTIONS = ("install", "uninstall", "start", "stop", "restart", "status", "logs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument(
        "--print", action="store_true", help="install: show the files, write and start nothing"
    )
    parser.add_argument(
        "--setuid-plugins",
        action="store_true",
        help="install: let exec plugins use setuid programs (sudo, op), found or not",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="logs: follow new lines")
    parser.add_argument(
        "-n", "--lines", type=int, default=100, metavar="N", help="logs: the last N lines (100)"
    )


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    acts: dict[str, Callable[[argparse.Namespace], int]] = {
        "install": _install,
        "uninstall": _uninstall,
        "status": _status,
        "logs": _logs,
    }
    return acts.get(arguments.action, _control)(arguments)


def _check(arguments: argparse.Namespace) -> None:
    for option, action in (("print", "install"), ("setuid_plugins", "install"), ("follow", "logs")):
        if getattr(arguments, option) and arguments.action != action:
            raise UsageError(f"--{option.replace('_', '-')} belongs to: llmgwctl service {action}")


def _install(arguments: argparse.Namespace) -> int:
    from llmgwctl.service.available import manager_of_platform, running_manager
    from llmgwctl.service.plan import plan
    from llmgwctl.service.ports import refuse_taken

    manager = manager_of_platform() if arguments.print else running_manager()
    made = plan(os.environ, arguments.setuid_plugins)
    if arguments.print:
        for file in manager.files(made.wanted):
            print(f"# {file.path}\n{file.text}")
        return Exit.OK
    for doubt in made.doubts:
        print(f"llmgwctl: {doubt}", file=sys.stderr)
    refuse_taken(made.wanted.listen, manager.state(), arguments.socket)
    print(f"llmgwd of {made.kind}: {made.wanted.llmgwd}")
    for sentence in manager.install(made.wanted, made.is_current(arguments.socket)):
        print(sentence)
    return _report_forwards(arguments)


def _uninstall(arguments: argparse.Namespace) -> int:
    from llmgwctl.paths import config_path, socket_path, state_folder
    from llmgwctl.service.available import running_manager
    from llmgwctl.service.leftovers import clear

    for sentence in running_manager().uninstall():
        print(sentence)
    for sentence in clear(arguments.socket or socket_path(), state_folder()):
        print(sentence)
    path = config_path()
    kept = "the configuration is kept" if os.path.exists(path) else "there was no configuration"
    print(f"{kept}: {path}")
    return Exit.OK


def _control(arguments: argparse.Namespace) -> int:
    from llmgwctl.service.available import running_manager

    manager = running_manager()
    if arguments.action == "stop":
        manager.stop()
        print("stopped, its ports are free; it starts again at the next login")
        return Exit.OK
    if arguments.action == "start":
        from llmgwctl.service.ports import refuse_taken

        state = manager.state()
        refuse_taken(state.listen, state, arguments.socket)
        manager.start()
    else:
        manager.restart()
    return _report_forwards(arguments)


def _status(arguments: argparse.Namespace) -> int:
    from llmgwctl.service.available import running_manager
    from llmgwctl.service.plan import drift

    manager = running_manager()
    state = manager.state()
    if not state.is_installed:
        raise ClientError(
            "not-installed", "llmgwd is not installed as a service here", "llmgwctl service install"
        )
    for line in (*state.lines, *drift(state, os.environ)):
        print(line)
    return Exit.OK if state.is_running else Exit.NOT_SO


def _logs(arguments: argparse.Namespace) -> int:
    from llmgwctl.service.available import running_manager

    command = list(running_manager().log_command(arguments.lines, arguments.follow))
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)  # noqa: S606 - its output is the answer, to the last byte
    except OSError as error:
        raise ClientError("no-logs", f"{command[0]} cannot be run: {error.strerror}") from error


def _report_forwards(arguments: argparse.Namespace) -> int:
    """Print the state of the forwards, once none is starting any more; the service itself is up.

    Raises:
        ClientError: the daemon does not answer, though its manager says that it runs.
    """
    import time

    from llmgwctl.api.client import Client
    from llmgwctl.api.waiting import wait_until
    from llmgwctl.show.forward import brief

    client = Client(arguments.socket)
    with contextlib.suppress(TimeoutError):
        wait_until(client, _has_settled, time.monotonic() + _SETTLE_S)
    for forward in client.status()["forwards"]:
        print("\n".join(brief(forward)))
    return Exit.OK


def _has_settled(states: Mapping[str, str]) -> bool:
    return State.STARTING not in states.values()
