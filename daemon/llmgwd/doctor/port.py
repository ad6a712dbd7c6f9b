"""The doctor's check of the local port: does a program listen there, and is it this daemon?"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import anyio.to_thread

from llmgwctl.rules.conditions import RULES, Layer
from llmgwctl.wire import ConditionKind, State
from llmgwd.config.address import family
from llmgwd.doctor.checks import Finding, failure, ok
from llmgwd.system.port_owner import port_owner

if TYPE_CHECKING:
    from llmgwctl.wire import ForwardStatus
    from llmgwd.config.model import ListenAddress
    from llmgwd.doctor.context import CheckContext

_START = "llmgwctl service install"


async def check_port(context: CheckContext) -> list[Finding]:
    """Look at each configured address, from the daemon's side and from a client's."""
    ours = set(context.status["listen"]) if context.status is not None else set()
    findings = []
    bound = [str(address) for address in context.forward.listen if str(address) in ours]
    if bound:
        findings.append(ok(f"llmgwd (pid {os.getpid()}) listens at {', '.join(bound)}"))
    for address in context.forward.listen:
        if str(address) not in ours:
            findings += await anyio.to_thread.run_sync(_look, address, context.status)
    return findings


def _look(address: ListenAddress, status: ForwardStatus | None) -> list[Finding]:
    """Say why this daemon does not listen at an address; blocking."""
    if not _exists(address):
        return []  # a machine without IPv6 lacks nothing
    owner = port_owner(address.port) if _answers(address) else None
    if owner is not None:
        remedy = f"end it, or give the forward another port: kill {owner.pid}"
        return [failure(f"{address} is taken by {owner}", "", remedy)]
    if _answers(address):
        return [failure(f"{address} is taken by another program", "", "sudo ss -ltnp")]
    found = f"connection refused at {address}"
    if status is None:
        return [failure(found, "llmgwd is not running", _START)]
    if status["state"] == State.STOPPED:
        name = status["name"]
        return [failure(found, f"{name} is stopped", f"llmgwctl start {name}")]
    for condition in status["conditions"]:
        if RULES[ConditionKind(condition["kind"])].layer is Layer.PORT:
            return [failure(found, condition["summary"], condition["remedy"])]
    return [failure(found, "llmgwd does not listen there", f"llmgwctl restart {status['name']}")]


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
