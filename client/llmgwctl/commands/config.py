"""llmgwctl config: where the configuration is, what it holds, whether it is right; a new one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.errors import ClientError, Refused, Unreachable
from llmgwctl.paths import config_path
from llmgwctl.rules import regular_file
from llmgwctl.rules.printable import clean
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Show, check or write the configuration. None is needed: without a file, llmgwd forwards
localhost:4000 to service/litellm, port 4000, in namespace litellm of the current context."""

EXAMPLES = (
    ("llmgwctl config path", "where it is, or would be"),
    ("llmgwctl config show", "what it holds, or the defaults"),
    ("llmgwctl config check", "check it for mistakes; needs no daemon"),
    ("llmgwctl config init", "write a file with every key explained"),
)
_CHECK_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="path|show|check|init")
    acts.add_parser("path", help="print where the file is, or would be")
    acts.add_parser("show", help="print the file, or the defaults")
    check = acts.add_parser("check", help="check a file without a daemon: exit status 0 or 1")
    check.add_argument("file", nargs="?", metavar="FILE", help="this one (else the usual one)")
    init = acts.add_parser("init", help="write a file with every key explained")
    init.add_argument("--print", action="store_true", help="print it instead")


def run(arguments: argparse.Namespace) -> int:
    if arguments.act == "check":
        return _check(arguments.file or config_path())
    if arguments.act == "init":
        return _init(config_path(), is_printed=arguments.print)
    path = _path(arguments.socket)
    if arguments.act == "path":
        print(clean(path))
    else:
        _show(path)
    return Exit.OK


def _path(socket: str | None) -> str:
    """Give the path of the running daemon, whose environment may differ from this one."""
    try:
        return Client(socket).status()["config"]["path"] or config_path()
    except (Unreachable, Refused):
        return config_path()


def _show(path: str) -> None:
    try:
        text = regular_file.read_text(path)
    except FileNotFoundError:
        print(f"llmgwctl: there is no {clean(path)}; these are the defaults:", file=sys.stderr)
        text = template()
    except OSError as error:
        raise _unreadable(path, error) from error
    print(text, end="" if text.endswith("\n") else "\n")


def _check(path: str) -> int:
    """Have the daemon's own reader check it: it reports here what it would report at its start."""
    import subprocess

    # -P: a folder called llmgwd where this is typed is not the daemon.
    command = [sys.executable, "-P", "-m", "llmgwd", "check", path]
    try:
        done = subprocess.run(command, timeout=_CHECK_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        message = f"llmgwd check took more than {_CHECK_S:g} s"
        raise ClientError("check-hangs", message) from error
    return Exit.OK if done.returncode == 0 else Exit.NOT_SO


def _init(path: str, *, is_printed: bool) -> int:
    if is_printed:
        print(template(), end="")
        return Exit.OK
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        # 0600: people write commands and file names of secrets into it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        remedy = "see: llmgwctl config show; for a fresh one: llmgwctl config init --print"
        raise ClientError("config-exists", f"{path} is already there", remedy) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(template())
    print(f"written: {path}\nedit it, then: llmgwctl config check && llmgwctl reload")
    return Exit.OK


def template() -> str:
    """Give the commented file, whose every value is the default."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(folder, "default.toml"), encoding="utf-8") as file:
        return file.read()


def _unreadable(path: str, error: OSError) -> ClientError:
    return ClientError("config-unusable", f"{path}: {error.strerror}")
