"""The command `llmgwd`: reads its flags, binds the ports, and only then imports the rest.

What is imported here, at the top or before `bind_early`, is the standard library and little of our
own: the ports are there within milliseconds, and clients that connect meanwhile wait in the
kernel's queue.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

import llmgwctl
from llmgwctl import paths
from llmgwd.config.model import Config, default_forward
from llmgwd.control.socket import bind_control_socket
from llmgwd.errors import LlmgwError
from llmgwd.listening.sockets import ProcessSockets
from llmgwd.service.activation import inherit
from llmgwd.service.kept_connections import KeptConnections
from llmgwd.service.notify import Notifier
from llmgwd.system.process.limits import raise_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# sysexits.h: a mistake in the configuration, and a service that cannot be had.
EXIT_CONFIG = 78
EXIT_UNAVAILABLE = 69


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    try:
        return _COMMANDS[options.command](options)
    except LlmgwError as error:
        print(
            f"llmgwd: {error.message}{f'; {error.remedy}' if error.remedy else ''}", file=sys.stderr
        )
        return EXIT_CONFIG if error.code == "config-invalid" else EXIT_UNAVAILABLE


def _run(options: argparse.Namespace) -> int:
    # What is written, by plugins too, is for this user alone, whatever the shell says.
    os.umask(0o077)
    inherited, notifier = inherit(), Notifier.from_environment()
    path = os.path.abspath(options.socket) if options.socket else paths.socket_path()
    control_socket = bind_control_socket(path)
    try:
        raise_limit()
        config = read_config(options.config or paths.config_path())
        kept = KeptConnections(notifier, inherited.connections)
        sockets = ProcessSockets(inherited, kept)
        sockets.bind_early(address for each in config.forwards for address in each.listen)

        from llmgwd import app

        return app.run(
            config,
            sockets,
            control_socket,
            notifier,
            app.LogOptions(
                options.log_level or config.log_level, options.log_format, options.log_file
            ),
        )
    finally:
        control_socket.release()


def read_config(path: str) -> Config:
    """Read the configuration; where there is no file, without importing what reads one.

    Raises:
        ConfigError: it holds a mistake.
    """
    if not os.path.lexists(path):
        return Config(path, is_present=False, forwards=(default_forward(),))
    from llmgwd.config import file as config_file

    return config_file.read(path)


def _demo(options: argparse.Namespace) -> int:
    from llmgwd.cli import demo as demo_command

    return demo_command.run(options.port, options.for_s)


def _check(options: argparse.Namespace) -> int:
    from llmgwd.cli.check import report

    print(report(read_config(options.file or paths.config_path()), options.json))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from llmgwd.cli import doctor as doctor_command
    from llmgwd.doctor.context import Request

    return doctor_command.run(
        lambda: read_config(options.config or paths.config_path()),
        Request(tuple(filter(None, options.models.split(","))), options.paid),
        options.forward,
        as_json=options.json,
    )


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check": _check,
    "doctor": _doctor,
    "demo": _demo,
}


def _with_command(arguments: Sequence[str]) -> list[str]:
    """Plain `llmgwd`, with or without flags, is `llmgwd run`."""
    is_bare = not arguments or arguments[0].startswith("-")
    asks_itself = bool(arguments) and arguments[0] in ("-h", "--help", "--version")
    return ["run", *arguments] if is_bare and not asks_itself else list(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmgwd",
        description="Keeps localhost:4000 connected to a LiteLLM gateway.",
        epilog="Without a command: run. How things are: llmgwctl status",
    )
    parser.add_argument("--version", action="version", version=f"llmgwd {llmgwctl.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser("run", help="run in the foreground (this is what happens anyway)")
    run.add_argument("--config", metavar="FILE", help="read this configuration file")
    run.add_argument("--socket", metavar="PATH", help="put the control socket there")
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    run.add_argument("--log-format", choices=("console", "json", "journal"))
    run.add_argument("--log-file", metavar="FILE", help="log there, as JSON, rotated")
    check = commands.add_parser("check", help="read the configuration, and name a mistake in it")
    check.add_argument("file", nargs="?", metavar="FILE", help="this file, not the usual one")
    check.add_argument("--json", action="store_true", help="say as JSON what it comes to")
    doctor = commands.add_parser("doctor", help="what llmgwctl doctor asks where no daemon runs")
    doctor.add_argument("--config", metavar="FILE", help="read this configuration file")
    doctor.add_argument("--forward", metavar="NAME", help="look at this forward only")
    doctor.add_argument("--models", default="", metavar="A,B", help="look for these models")
    doctor.add_argument("--paid", action="store_true", help="have the models called for real")
    doctor.add_argument("--json", action="store_true", help="one object a line")
    demo = commands.add_parser("demo", help="show it on a simulated cluster, with nothing set up")
    demo.add_argument("--for", dest="for_s", type=_duration, metavar="30s", help="end by itself")
    demo.add_argument("--port", type=_port, default=4000, help="listen there (default: 4000)")
    return parser


def _duration(text: str) -> float:
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no duration such as "30s"') from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
