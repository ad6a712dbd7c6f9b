"""A blocking client of the simulated cluster that sees every byte: REST, and the three ways in."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmgwd.protocol import spdy

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

TIMEOUT_S = 10.0
TUNNEL = "SPDY/3.1+portforward.k8s.io"
CHANNELS = "v4.channel.k8s.io"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One TLS connection to the API server."""

    def __init__(self, cluster: RemoteCluster, token: str | None = None) -> None:
        self._token = cluster.token if token is None else token
        context = ssl.create_default_context(cadata=cluster.authority.decode())
        raw = socket.create_connection(("127.0.0.1", cluster.port), TIMEOUT_S)
        self.socket = context.wrap_socket(raw, server_hostname="127.0.0.1")
        self.buffer = bytearray()

    def close(self) -> None:
        self.socket.close()

    def send_request(self, method: str, path: str, *lines: str, body: bytes = b"") -> None:
        head = [f"{method} {path} HTTP/1.1", "Host: demo", f"Authorization: Bearer {self._token}"]
        if body:
            head.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join([*head, *lines, "", ""]).encode() + body)

    def read_head(self) -> tuple[int, dict[str, str]]:
        head = self.read_until(b"\r\n\r\n").decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(first.split(" ")[1]), {name.lower(): value for name, value in headers.items()}

    def ask(self, method: str, path: str, *lines: str, body: bytes = b"") -> Answer:
        self.send_request(method, path, *lines, body=body)
        status, headers = self.read_head()
        content = b""
        if status != 101:
            content = self.read_exactly(int(headers.get("content-length", "0")))
        return Answer(status, headers, content)

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a streamed answer, until its end."""
        while True:
            size = int(self.read_until(b"\r\n"), 16)
            chunk = self.read_exactly(size + 2)[:-2]
            if not size:
                return
            yield chunk

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._more()
        end = self.buffer.index(mark) + len(mark)
        return self._take(end)

    def read_exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def _more(self) -> None:
        piece = self.socket.recv(65536)
        if not piece:
            raise EOFError("the server closed the connection")
        self.buffer += piece


@contextlib.contextmanager
def connected(cluster: RemoteCluster, token: str | None = None) -> Iterator[Client]:
    client = Client(cluster, token)
    try:
        yield client
    finally:
        client.close()


def pod_name(cluster: RemoteCluster, number: int = 0) -> str:
    return str(cluster.faults.pods()[number]["name"])


def forward_path(name: str) -> str:
    return f"/api/v1/namespaces/litellm/pods/{name}/portforward"


def ask_spdy(client: Client, name: str) -> Answer:
    lines = ("Connection: Upgrade", "Upgrade: SPDY/3.1")
    protocol = "X-Stream-Protocol-Version: portforward.k8s.io"
    return client.ask("POST", forward_path(name), *lines, protocol)


def ask_websocket(client: Client, name: str, protocol: str, query: str = "") -> Answer:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: {protocol}"]
    return client.ask("GET", forward_path(name) + query, *lines)


def ask_tunnel(client: Client, name: str) -> Answer:
    return ask_websocket(client, name, TUNNEL)


def ask_channels(client: Client, name: str) -> Answer:
    return ask_websocket(client, name, CHANNELS, "?ports=4000")


WAYS: dict[str, Callable[[Client, str], Answer]] = {
    "spdy": ask_spdy,
    "websocket": ask_tunnel,
    "channels": ask_channels,
}


class Spdy:
    """SPDY on an upgraded connection, one frame at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._decoder = spdy.Decoder()
        self._frames: list[spdy.Frame] = []
        self.encoder = spdy.Encoder()

    def send(self, *pieces: bytes) -> None:
        self._client.socket.sendall(b"".join(pieces))

    def pair(self, first_id: int = 1, port: int = 4000) -> bytes:
        """Both SYN_STREAMs of a forwarded connection: error on `first_id`, data on the next."""
        headers = {"port": str(port), "requestid": str(first_id)}
        error = self.encoder.syn_stream(first_id, headers | {"streamtype": "error"}, fin=True)
        return error + self.encoder.syn_stream(first_id + 2, headers | {"streamtype": "data"})

    def next(self) -> spdy.Frame:
        while not self._frames:
            if not self._client.buffer:
                self._client._more()
            self._frames = self._decoder.feed(self._client.buffer)
            self._client.buffer.clear()
        return self._frames.pop(0)

    def data_until(self, stream_id: int, mark: bytes) -> bytes:
        """The data of one stream up to a mark; other streams' frames are passed over."""
        data = b""
        while mark not in data:
            frame = self.next()
            if isinstance(frame, spdy.Data) and frame.stream_id == stream_id:
                data += frame.payload
        return data

    def until(self, kind: type[Any], stream_id: int | None = None) -> Any:
        while True:
            frame = self.next()
            matches = stream_id is None or getattr(frame, "stream_id", None) == stream_id
            if isinstance(frame, kind) and matches:
                return frame


@contextlib.contextmanager
def spdy_to(cluster: RemoteCluster, name: str) -> Iterator[Spdy]:
    """An upgraded raw SPDY connection to a pod."""
    with connected(cluster) as client:
        assert ask_spdy(client, name).status == 101
        yield Spdy(client)


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()
