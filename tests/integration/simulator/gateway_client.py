"""A blocking client of one simulated gateway, straight to its program: no cluster between."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from cluster_client import pod_name

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

TIMEOUT_S = 10.0


def address_of(cluster: RemoteCluster) -> tuple[str, int]:
    """Where the first pod's program listens on this machine."""
    assert cluster.cluster is not None
    pod = cluster.cluster.world.pod("litellm", pod_name(cluster))
    assert pod is not None
    assert pod.program is not None
    address = pod.program.address(4000)
    assert address is not None
    return address


def connect(cluster: RemoteCluster) -> socket.socket:
    return socket.create_connection(address_of(cluster), TIMEOUT_S)


def read_all(opened: socket.socket) -> bytes:
    data = b""
    while piece := opened.recv(65536):
        data += piece
    return data


def ask(
    cluster: RemoteCluster, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """One request on a connection of its own: status, headers, JSON or text."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    method = "GET" if body is None else "POST"
    head = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines]
    head += [f"Content-Length: {len(content)}", "", ""]
    with connect(cluster) as opened:
        opened.sendall("\r\n".join(head).encode() + content)
        first, _, rest = read_all(opened).partition(b"\r\n\r\n")
    status, *fields = first.decode().split("\r\n")
    found = dict(line.split(": ", 1) for line in fields)
    is_json = found.get("content-type") == "application/json"
    return int(status.split(" ")[1]), found, json.loads(rest) if is_json else rest.decode()
