"""Upgrades to `pods/portforward`: three ways in, dialled by hand over asyncio transports.

Ours, not the Kubernetes library's: its WebSocket client (36.1) passes neither proxy-url nor
tls-server-name on, does not see which subprotocol the server chose, and knows no raw SPDY, the one
way in that most roles grant.

A tunnel's transport is handed over paused, with what came after the head; nothing of HTTP is left
in it. What is asked and answered follows client-go and KEP-4006.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio

from llmgwctl import __version__
from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster.api_errors import (
    Action,
    Forbidden,
    denied,
    excerpt,
    failing,
    forbidden,
    in_between,
    is_denial,
    is_page,
    read_status,
    sentence_of,
    unauthorized,
)
from llmgwd.cluster.kubectl import Kubectl
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.dial import dial_error
from llmgwd.net.http_head import HeadReader
from llmgwd.net.tls import ResumingContext

if TYPE_CHECKING:
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.cluster.target.pods import Endpoint
    from llmgwd.net.dial import Dialer
    from llmgwd.net.http1_heads import Head

# RFC 6455, 1.3.
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SUBPROTOCOLS = {
    UpgradeKind.WEBSOCKET: "SPDY/3.1+portforward.k8s.io",
    UpgradeKind.CHANNELS: "v4.channel.k8s.io",
}
# A proxy that drops one kind of upgrade must leave time to try another within a dial's 10 s.
_ANSWER_S = 5.0

# A role or a proxy is seldom changed, and a refusal costs one round trip.
RETRY_BETTER_S = 600.0
# A way's own refusal, not the pod's or the network's: another way may pass.
OTHER_WAY_MAY_PASS = frozenset({ConditionKind.UPGRADE_REFUSED, ConditionKind.PERMISSION_DENIED})


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A connection that is an upgrade's now. Reading is paused; `leftover` came already.

    To take it: `transport.set_protocol(p)`, `p.connection_made(transport)`, feed `leftover`,
    `transport.resume_reading()`.
    """

    transport: asyncio.Transport
    leftover: bytes
    way: UpgradeKind


async def upgrade(access: ClusterAccess, endpoint: Endpoint, way: UpgradeKind) -> Upgraded:
    """Dial the API server and upgrade to one pod's port-forward.

    Cancelling closes the connection; the time-out is the caller's. A 401 asks the login once for
    another credential.

    Raises:
        Transient: not reachable, refused by something in between, or the pod is gone.
        Blocked: permission, login, TLS.
    """
    credential = await access.credential()
    for may_renew in (True, False):
        dialer = access.dialer(credential)
        key = base64.b64encode(os.urandom(16)).decode()
        head = request_head(dialer, endpoint, way, key, access.upgrade_headers(credential))
        transport, reader = await dialer.dial(HeadReader)
        try:
            transport.write(head)
            with anyio.fail_after(_ANSWER_S):
                status, answer = await reader.read_head()
                body = b"" if status == 101 else await reader.read_body()
            _remember_session(dialer, transport)
            if status == 101:
                check_acceptance(answer, way, key)
                access.accepted(credential)
                return Upgraded(transport, reader.leftover, way)
        except TimeoutError as error:
            transport.abort()
            raise _refusal(way, f"silence for {_ANSWER_S:.0f} s") from error
        except (OSError, EOFError) as error:
            transport.abort()
            raise dial_error(dialer, error) from error
        except BaseException:
            transport.abort()
            raise
        transport.abort()
        if not (access.refused(credential, status, body) and may_renew):
            break
        credential = await access.credential()
    raise refused(endpoint, way, status, body, access.login_remedy, access.kubectl)


class UpgradeChooser:
    """Dials by the best way that works and remembers what was refused.

    One per route: what a proxy or a role lets through is the same for all of its pods.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused_at: dict[UpgradeKind, float] = {}

    async def dial(self, access: ClusterAccess, endpoint: Endpoint) -> Upgraded:
        """Upgrade to a pod. Cancelling it closes everything; the time-out is the caller's.

        Raises:
            as `upgrade`; where every way was refused, the error that helps most.
        """
        refusals: dict[UpgradeKind, LlmgwError] = {}
        for way in order(self._refused_at, self._clock()):
            try:
                upgraded = await upgrade(access, endpoint, way)
            except LlmgwError as error:
                self._learn(way, error)
                if error.code not in OTHER_WAY_MAY_PASS:
                    raise
                refusals[way] = error
            else:
                self._refused_at.pop(way, None)
                return upgraded
        raise most_useful(refusals)

    def forget(self) -> None:
        """Start from the top again: another role, another network."""
        self._refused_at.clear()

    def _learn(self, way: UpgradeKind, error: LlmgwError) -> None:
        if error.code in OTHER_WAY_MAY_PASS:
            self._refused_at[way] = self._clock()
        elif error.code == ConditionKind.API_SERVER_UNREACHABLE:
            # What comes back may be another version, behind another proxy.
            self.forget()


def request_head(
    dialer: Dialer,
    endpoint: Endpoint,
    way: UpgradeKind,
    key: str,
    authorization: Sequence[tuple[str, str]],
) -> bytes:
    """The request that asks for an upgrade, in bytes. `key` is the WebSocket's."""
    namespace, pod = quote(endpoint.namespace, safe=""), quote(endpoint.pod, safe="")
    path = f"{dialer.server.prefix}/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    if way is UpgradeKind.SPDY:
        method = "POST"
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "SPDY/3.1",
            "X-Stream-Protocol-Version": "portforward.k8s.io",
            "Content-Length": "0",
        }
    else:
        method = "GET"
        path += f"?ports={endpoint.port}" if way is UpgradeKind.CHANNELS else ""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": _SUBPROTOCOLS[way],
        }
    headers |= {"Host": dialer.server.authority, "User-Agent": f"llmgwd/{__version__}"}
    said = (f"{name}: {value}" for name, value in (*headers.items(), *authorization))
    # Names of users and groups may be of any script; Go writes them in UTF-8, too.
    return "\r\n".join([f"{method} {path} HTTP/1.1", *said, "", ""]).encode()


def check_acceptance(answer: Head, way: UpgradeKind, key: str) -> None:
    """See that a 101 agrees to what was asked.

    Raises:
        Transient: it does not; something in between made it up.
    """
    agreed = (answer.first_of(b"upgrade") or b"").lower()
    if way is UpgradeKind.SPDY:
        if agreed != b"spdy/3.1":
            raise _refusal(way, f'101 to another protocol "{excerpt(agreed)}"')
        return
    expected = base64.b64encode(
        hashlib.sha1(key.encode() + _WEBSOCKET_GUID, usedforsecurity=False).digest()
    )
    if agreed != b"websocket" or answer.first_of(b"sec-websocket-accept") != expected:
        raise _refusal(way, "101 without a WebSocket's acceptance")
    chosen = answer.first_of(b"sec-websocket-protocol") or b""
    if chosen != _SUBPROTOCOLS[way].encode():
        raise _refusal(way, f'101 with subprotocol "{excerpt(chosen)}"')


def refused(
    endpoint: Endpoint,
    way: UpgradeKind,
    status: int,
    body: bytes,
    login_remedy: str,
    kubectl: Kubectl = Kubectl(),  # noqa: B008 - frozen
) -> LlmgwError:
    """Say what an answer that is no 101 means. Pure."""
    said = read_status(body)
    words = sentence_of(said) if said else excerpt(body)
    verb = "create" if "cannot create resource" in words else ""
    verb = verb or ("create" if way is UpgradeKind.SPDY else "get")
    action = Action(verb, "pods/portforward", "", endpoint.namespace, endpoint.pod)
    if status == 401:
        return in_between(status, words) if is_page(body) else unauthorized(login_remedy)
    if status == 403 and said is not None:
        return forbidden(action, words)
    if said is not None and is_denial(words):
        return denied(action, words)
    if status == 404 and (said is not None or words == "pod does not exist"):
        ours = f"pod {endpoint.pod} is gone"
        return Transient(ConditionKind.NO_PODS, f"{ours}: {words}", public=ours)
    is_node = "dialing backend" in words if said else status == 500 and _is_text(body)
    if is_node:
        return node_failing(endpoint, words, kubectl)
    if said is not None and (status == 429 or status >= 500) and "upgrade" not in words:
        return failing(status, words)
    return _refusal(way, str(status), words)


def _is_text(body: bytes) -> bool:
    """Is it plain text? So a kubelet answers, and the API server passes that on as it is."""
    return bool(body.strip()) and body.lstrip()[:1] not in (b"<", b"{")


def node_failing(endpoint: Endpoint, words: str, kubectl: Kubectl) -> Transient:
    """No way in leads to a pod whose node does not answer: no other one is worth trying."""
    node = f"the node {endpoint.node}" if endpoint.node else "the node"
    ours = f"{node} of pod {endpoint.pod} takes no connection"
    return Transient(
        ConditionKind.NODE_FAILING,
        f"{ours}: {words}",
        _look_at_node(endpoint, kubectl),
        public=ours,
    )


def _look_at_node(endpoint: Endpoint, kubectl: Kubectl) -> str:
    if endpoint.node:
        return kubectl.command("describe", f"node/{endpoint.node}")
    pod = f"pod/{endpoint.pod}"
    return kubectl.command("get", pod, "-o", "wide", namespace=endpoint.namespace)


def _refusal(way: UpgradeKind, answer: str, words: str = "") -> Transient:
    ours = f"the {way} upgrade was answered by {answer}"
    return Transient(
        ConditionKind.UPGRADE_REFUSED,
        f"{ours}: {words}" if words else ours,
        "Have the proxy between here and the API server let upgrades pass.",
        public=ours,
    )


def _remember_session(dialer: Dialer, transport: asyncio.Transport) -> None:
    tls = transport.get_extra_info("ssl_object")
    if isinstance(dialer.tls, ResumingContext) and isinstance(tls, ssl.SSLObject):
        dialer.tls.remember(tls)


def order(refused_at: Mapping[UpgradeKind, float], now: float) -> Sequence[UpgradeKind]:
    """The ways, best first, those refused within the last ten minutes at the end."""

    def is_out_of_favour(way: UpgradeKind) -> bool:
        return now - refused_at.get(way, -RETRY_BETTER_S) < RETRY_BETTER_S

    return sorted(UpgradeKind, key=is_out_of_favour)


def most_useful(refusals: Mapping[UpgradeKind, LlmgwError]) -> LlmgwError:
    """A missing permission before a proxy's refusal; among equals the best way's."""
    return min(
        (refusals[way] for way in UpgradeKind if way in refusals),
        key=lambda error: not isinstance(error, Forbidden),
    )
