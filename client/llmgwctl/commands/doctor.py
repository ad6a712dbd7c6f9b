"""llmgwctl doctor: every check from the kubeconfig to an answer, with or without a daemon."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose, choose_gateway
from llmgwctl.cli.arguments import prints_colour
from llmgwctl.doctor.claude import models_asked_for
from llmgwctl.doctor.machine import check_service
from llmgwctl.doctor.progress import Progress
from llmgwctl.doctor.report import exit_status, line, summary
from llmgwctl.doctor.shell import check_shell
from llmgwctl.doctor.standalone import examine
from llmgwctl.doctor.surroundings import look
from llmgwctl.errors import ClientError, NotRunning, Unreachable
from llmgwctl.gateway import leading
from llmgwctl.gateway.destination import key_of, url_of
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.rules.printable import clean
from llmgwctl.service import state as service_state
from llmgwctl.show.terminal import detect
from llmgwctl.wire import ApiPath, CheckState, CheckStatus

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container, Iterator, Mapping

    from llmgwctl.doctor.surroundings import Surroundings
    from llmgwctl.wire import ForwardStatus, Status

DESCRIPTION = """\
Check the whole way, in order: kubeconfig, login, permissions, service, pods, ways in, port,
gateway, key, models, this shell, the service manager. What fails comes with its cause and a
command to paste; what it makes pointless is skipped. Works without a running daemon, too.

Exit status: 0 all well, or only something to look at; 1 something failed; 4 a person must act."""

EXAMPLES = (
    ("llmgwctl doctor", "look at every forward, this shell and this machine"),
    ("llmgwctl doctor --model claude-sonnet-4-5", "is there this model, too?"),
    ("llmgwctl doctor --json | jq 'select(.state == \"failed\")'", "one object a line"),
    ("llmgwctl doctor --paid", "have each model called for real: that costs money"),
)

# A daemon that hangs must not make the doctor hang; a check itself takes 40 s at most.
_LINE_S = 60.0
_DEFAULT_URL = "http://localhost:4000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("forward", nargs="?", metavar="NAME", help="only this forward")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="look for this model; those that this shell's variables name are looked for anyway",
    )
    parser.add_argument(
        "--paid",
        action="store_true",
        help="let the gateway call each of its models (/health): real calls, which cost money",
    )
    parser.add_argument("--config", metavar="FILE", help="where no daemon runs: this configuration")
    parser.add_argument("--json", action="store_true", help="one object a line, for scripts")


def run(arguments: argparse.Namespace) -> int:
    terminal = detect(prints_colour(arguments.color))
    done: list[CheckStatus] = []
    forward: str | None = None
    is_watched = sys.stdout.isatty() and sys.stderr.isatty() and not arguments.json
    with Progress(sys.stderr if is_watched else None) as progress:
        for check in checks(arguments):
            progress.clear()
            if arguments.json:
                print(json.dumps(check), flush=True)
            else:
                if check["forward"] not in (None, forward):
                    forward = check["forward"]
                    head = f"{clean(forward or '')}:"
                    print(head if not done else f"\n{head}")
                print(line(check, terminal), flush=True)
            done.append(check)
    if not arguments.json:
        print(f"\n{summary(done)}")
    return exit_status(done)


def checks(arguments: argparse.Namespace) -> Iterator[CheckStatus]:
    """Give each check when it is done."""
    client = Client(arguments.socket)
    found = look(os.environ, os.getcwd())
    named = models_asked_for(found.environ, found.settings)
    models = list(dict.fromkeys([*arguments.model, *named]))
    query = {"models": ",".join(models) or None, "paid": arguments.paid or None}
    status: Status | None = None
    with_key: set[str | None] = set()
    try:
        status = client.status()
    except Unreachable as error:
        if not isinstance(error, NotRunning):
            yield _daemon(error)
        yield from examine(arguments.config, arguments.forward, models, is_paid=arguments.paid)
    else:
        if arguments.forward is not None:
            choose(status, arguments.forward)
        query["forward"] = arguments.forward
        for check in _of_daemon(client, query):
            if check["check"] == "key" and check["state"] in (CheckState.OK, CheckState.WARNING):
                with_key.add(check["forward"])
            yield check
    yield from _of_shell(found, client, status, arguments.forward, with_key)
    yield check_service(service_state.look(), service_state.lingers())


def _daemon(error: Unreachable) -> CheckStatus:
    """Report a daemon that is there and cannot be understood; the other checks go on."""
    return CheckStatus(
        check="daemon",
        forward=None,
        state=CheckState.FAILED,
        found=error.message,
        cause="",
        remedy=error.remedy,
        skipped_by=None,
        took_s=None,
    )


def _of_daemon(client: Client, query: Mapping[str, object]) -> Iterator[CheckStatus]:
    try:
        yield from client.lines(ApiPath.DOCTOR, query, timeout_s=_LINE_S)
    except TimeoutError:
        raise Unreachable(
            "daemon-hangs",
            f"llmgwd has sent nothing for {_LINE_S:g} s",
            "restart it with: llmgwctl service restart",
        ) from None


def _of_shell(
    found: Surroundings,
    client: Client,
    status: Status | None,
    name: str | None,
    with_key: Container[str | None],
) -> Iterator[CheckStatus]:
    """Say where the programs of this shell go, as far as address and key are known.

    The key is asked for where the daemon has just had it (`with_key`, names of forwards): in an
    outage the question would wait for what has been reported already.
    """
    if status is None:
        yield from check_shell(found, Endpoint(_DEFAULT_URL))
        return
    meant = _chosen_gateway(status, name)
    endpoint = _endpoint(client, meant, with_key)
    others = [
        _endpoint(client, each, with_key)
        for each in (status["forwards"] if name is None else ())
        if each is not meant and each["gateway"]["probe"] == "litellm" and each["listen"]
    ]
    yield from check_shell(found, endpoint, others)


def _chosen_gateway(status: Status, name: str | None) -> ForwardStatus | None:
    try:
        return choose_gateway(status, name)
    except ClientError:
        return None  # the lines before this one have said it


def _endpoint(
    client: Client, forward: ForwardStatus | None, with_key: Container[str | None]
) -> Endpoint:
    """Find out what can be: the checks before have said what cannot."""
    endpoint = Endpoint(_DEFAULT_URL)
    with contextlib.suppress(ClientError):
        if forward is not None:
            endpoint = Endpoint(url_of(forward))
            if forward["name"] in with_key:
                models = leading.models_at_hand(client.path, forward)
                endpoint = Endpoint(endpoint.url, key_of(client, forward)["key"], models)
    return endpoint
