"""Whether the manager will get the ports: asked before it takes them.

A manager reports only that it failed, and its log says how; a person needs the port and its
owner.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from llmgwctl.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.service.state import ServiceState


def refuse_taken(listen: Sequence[str], state: ServiceState, control: str | None) -> None:
    """Check that each address is free, or held by the service already.

    Raises:
        ClientError: one is not.
    """
    held = state.listen if state.holds_ports else ()
    taken = [address for address in listen if address not in held and is_taken(address)]
    if not taken:
        return
    pid = _daemon_on(taken[0], control)
    if pid is not None and pid == state.pid:
        # The service bound it itself, after a reload: it will be stopped first.
        return
    if pid is not None:
        message = f"llmgwd runs already, on its own (process {pid})"
        raise ClientError("already-running", message, f"end it, and try again: kill {pid}")
    port = taken[0].rpartition(":")[2]
    raise ClientError(
        "port-taken",
        f"{taken[0]} is taken by another program",
        f"end it (find it with: lsof -nP -iTCP:{port} -sTCP:LISTEN), or choose another port: "
        "llmgwctl config init",
    )


def is_taken(address: str) -> bool:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host.strip("[]"), int(port)))
            # BSDs allow a bind whose listen they refuse.
            probe.listen(1)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def _daemon_on(address: str, control: str | None) -> int | None:
    """Give the process id of the llmgwd that listens there, if one does."""
    from llmgwctl.api.client import Client

    try:
        status = Client(control).status()
    except ClientError:
        return None
    bound = [each for forward in status["forwards"] for each in forward["listen"]]
    return status["pid"] if address in bound else None
