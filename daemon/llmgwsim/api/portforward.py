"""The entry of `pods/portforward`: which way in is asked for, and whether it may be taken.

The order of the checks is the server's: a proxy on the way, the token, the verbs, the pod, the
protocol. RBAC's refusals carry a Status; an unknown subprotocol gets 403 and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmgwsim.api import answers
from llmgwsim.api.backend import require_node
from llmgwsim.portforward.channels import ChannelSession
from llmgwsim.portforward.raw import RawSpdy
from llmgwsim.portforward.target import Target
from llmgwsim.portforward.websocket import WebSocketSpdy

if TYPE_CHECKING:
    import asyncio

    from llmgwsim.api.behaviour import Behaviour
    from llmgwsim.net.request import Request
    from llmgwsim.world.pod import Pod
    from llmgwsim.world.world import World

SPDY_PROTOCOL = "portforward.k8s.io"
TUNNEL_PROTOCOL = "SPDY/3.1+portforward.k8s.io"
CHANNELS_PROTOCOL = "v4.channel.k8s.io"
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Upgrades:
    """The open upgrades of the API server, and how many of each way there have been."""

    open: set[RawSpdy | WebSocketSpdy | ChannelSession] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, way: str, upgrade: RawSpdy | WebSocketSpdy | ChannelSession) -> None:
        self.counts[way] = self.counts.get(way, 0) + 1
        self.open.add(upgrade)

    def reset_streams(self) -> int:
        sessions = [upgrade.session for upgrade in self.open if upgrade.session is not None]
        for session in sessions:
            session.reset_streams()
        return len(sessions)

    def lose_node(self) -> int:
        """The node's end of every upgrade is gone; an idle SPDY connection shows it when used."""
        upgrades = list(self.open)
        for upgrade in upgrades:
            if upgrade.session is None:
                upgrade.close()
            else:
                upgrade.session.lose_node()
        return len(upgrades)


def verbs_needed(request: Request, behaviour: Behaviour) -> tuple[str, ...]:
    if request.method == "POST":
        return ("create",)
    return tuple(behaviour.websocket_verbs.split(","))


def serve_portforward(
    request: Request, world: World, behaviour: Behaviour, upgrades: Upgrades, pod: Pod
) -> None:
    """Upgrade the connection, or refuse; the user has been checked already.

    Raises:
        Refusal: no upgrade asked for, no port, an unknown protocol, a pod that does not run.
    """
    upgrade = request.headers.get("upgrade", "").lower()
    if upgrade not in ("websocket", "spdy/3.1"):
        raise answers.bad_request("Upgrade request required")
    if upgrade == "spdy/3.1" and request.method != "POST":
        raise answers.bad_request("Upgrade request required")
    if upgrade == "websocket":
        _open_websocket(request, world, behaviour, upgrades, pod)
    else:
        _open_spdy(request, world, behaviour, upgrades, pod)


def _target(world: World, behaviour: Behaviour, pod: Pod) -> Target:
    namespace, name = pod.namespace, pod.name
    limit_s = behaviour.pair_timeout_s
    return Target(namespace, name, pod.uid, lambda: world.pod(namespace, name), limit_s)


def _require_running(pod: Pod, behaviour: Behaviour) -> None:
    require_node(behaviour, pod)
    if pod.phase == "Pending":
        # The kubelet's own words, not a Status.
        raise answers.Refusal(404, "pod does not exist")


def _open_spdy(
    request: Request, world: World, behaviour: Behaviour, upgrades: Upgrades, pod: Pod
) -> None:
    _require_running(pod, behaviour)
    offered = request.headers.get("x-stream-protocol-version", "")
    if SPDY_PROTOCOL not in [name.strip() for name in offered.split(",")]:
        text = (
            f"unable to upgrade: unable to negotiate protocol: client supports [{offered}], "
            f"server accepts [{SPDY_PROTOCOL}]"
        )
        raise answers.Refusal(403, text)
    spdy = RawSpdy(_target(world, behaviour, pod), lambda: upgrades.open.discard(spdy))
    upgrades.add("spdy", spdy)
    head = [
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        f"X-Stream-Protocol-Version: {SPDY_PROTOCOL}",
    ]
    _switch(request, head, spdy)


def _open_websocket(
    request: Request, world: World, behaviour: Behaviour, upgrades: Upgrades, pod: Pod
) -> None:
    offered = request.headers.get("sec-websocket-protocol", "")
    names = [name.strip() for name in offered.split(",") if name.strip()]
    key = request.headers.get("sec-websocket-key", "")
    if not key or request.headers.get("sec-websocket-version") != "13":
        raise answers.bad_request("not a WebSocket handshake of version 13")
    target = _target(world, behaviour, pod)
    protocol: WebSocketSpdy | ChannelSession
    if TUNNEL_PROTOCOL in names:
        chosen, way = TUNNEL_PROTOCOL, "websocket"
        _require_running(pod, behaviour)
        protocol = WebSocketSpdy(target, lambda: upgrades.open.discard(protocol))
    elif CHANNELS_PROTOCOL in names or not names:
        # A client that offers nothing (kr8s) gets the channels too, unnamed.
        chosen, way = CHANNELS_PROTOCOL if names else "", "channels"
        ports = _ports(request)
        _require_running(pod, behaviour)
        protocol = ChannelSession(target, ports, lambda: upgrades.open.discard(protocol))
    else:
        raise answers.Refusal(403, "")
    upgrades.add(way, protocol)
    digest = hashlib.sha1(key.encode() + _WEBSOCKET_GUID, usedforsecurity=False).digest()
    head = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
    ]
    if chosen:
        head.append(f"Sec-WebSocket-Protocol: {chosen}")
    _switch(request, head, protocol)


def _ports(request: Request) -> tuple[int, ...]:
    """The `ports` of a v4 request: repeated, or separated by commas."""
    texts = [text for value in request.query.get("ports", []) for text in value.split(",") if text]
    if not texts:
        raise answers.bad_request('query parameter "ports" is required')
    for text in texts:
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise answers.bad_request(f"port must be between 1 and 65535, inclusive: {text}")
    return tuple(int(text) for text in texts)


def _switch(request: Request, head: list[str], protocol: asyncio.Protocol) -> None:
    request.is_started = True
    connection = request.connection
    connection.write(("\r\n".join(head) + "\r\n\r\n").encode())
    rest = connection.take_over(protocol)
    protocol.connection_made(connection.transport)
    if rest:
        protocol.data_received(rest)
