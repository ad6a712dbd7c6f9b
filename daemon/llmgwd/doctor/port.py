"""The doctor's check of the local port: does a program listen there, and is it this daemon?"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import anyio.to_thread

from llmgwctl.errors import ClientError
from llmgwctl.rules.condition_kinds import RULES, Layer
from llmgwctl.service.available import running_manager
from llmgwctl.wire import ConditionKind, State
from llmgwd.config.address import family
from llmgwd.doctor.checks import Finding, failure, ok
from llmgwd.system.port_owner import PortOwner, port_owner, remedy_for_taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.wire import ForwardStatus
    from llmgwd.config.model import ListenAddress
    from llmgwd.doctor.context import CheckContext


async def check_port(context: CheckContext) -> list[Finding]:
    """Look at each configured address, from the daemon's side and from a client's."""
    ours = set(context.status["listen"]) if context.status is not None else set()
    findings = []
    bound = [str(address) for address in context.forward.listen if str(address) in ours]
    if bound:
        findings.append(ok(f"llmgwd (pid {os.getpid()}) listens at {', '.join(bound)}"))
    missing = [each for each in context.forward.listen if str(each) not in ours]
    return findings + await anyio.to_thread.run_sync(_look, missing, context.status)


def _look(addresses: Sequence[ListenAddress], status: ForwardStatus | None) -> list[Finding]:
    """Say why this daemon does not listen at these addresses; blocking."""
    # A machine without IPv6 lacks nothing.
    there = [address for address in addresses if _exists(address)]
    taken = [address for address in there if _answers(address)]
    findings = _taken(taken)
    refused = ", ".join(str(address) for address in there if address not in taken)
    return [*findings, _refused(refused, status)] if refused else findings


def _taken(addresses: Sequence[ListenAddress]) -> list[Finding]:
    """Say who holds them; one line for each owner."""
    held: dict[PortOwner | None, list[ListenAddress]] = {}
    for address in addresses:
        held.setdefault(port_owner(address.host, address.port), []).append(address)
    findings = []
    for owner, each in held.items():
        who = "another program" if owner is None else str(owner)
        verb = "is" if len(each) == 1 else "are"
        found = f"{', '.join(map(str, each))} {verb} taken by {who}"
        findings.append(failure(found, "", remedy_for_taken(each[0].port, owner)))
    return findings


def _refused(addresses: str, status: ForwardStatus | None) -> Finding:
    found = f"connection refused at {addresses}"
    if status is None:
        return failure(found, "llmgwd is not running", _start())
    if status["state"] == State.STOPPED:
        name = status["name"]
        return failure(found, f"{name} is stopped", f"llmgwctl start {name}")
    for condition in status["conditions"]:
        if RULES[ConditionKind(condition["kind"])].layer is Layer.PORT:
            return failure(found, condition["summary"], condition["remedy"])
    return failure(found, "llmgwd does not listen there", f"llmgwctl restart {status['name']}")


def _start() -> str:
    """Name what starts the daemon on this machine: its service manager, or a person."""
    try:
        running_manager()
    except ClientError:
        return "llmgwd"
    return "llmgwctl service install"


def _exists(address: ListenAddress) -> bool:
    try:
        _family(address)
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _family(address: ListenAddress) -> None:
    with socket.socket(family(address.host), socket.SOCK_STREAM) as probe:
        probe.bind((address.host, 0))


def _answers(address: ListenAddress) -> bool:
    try:
        with socket.create_connection((address.host, address.port), timeout=2):
            return True
    except OSError:
        return False
