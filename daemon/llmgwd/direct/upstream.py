"""One connection to the upstream: dialled ahead, used for one request, never again.

A connection that has carried a request is not kept for another: a server that closes it just then
would leave it unknown whether the next request was received. A fresh one is closed by us before a
server would think of it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, Final, cast

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.net.dial import Dialer, ProxyRefused, reason
from llmgwd.net.last_words import read_on
from llmgwd.net.proxy import choose_proxy
from llmgwd.net.server import Server
from llmgwd.net.tls import ResumingContext, Trust, client_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.direct.address import Address
    from llmgwd.relay.route import StreamOwner

# Names that take longer, and handshakes, are down for all practical purposes.
DIAL_S: Final = 5.0
WRITE_HIGH_BYTES: Final = 256 * 1024


class Upstream(asyncio.Protocol):
    """asyncio's protocol for an upstream connection, and the `Stream` of the owner that takes it.

    `ended` is called once when it is gone.
    """

    pod = None

    def __init__(
        self,
        address: Address,
        tls: ResumingContext | None,
        ended: Callable[[Upstream], None] = lambda _upstream: None,
    ) -> None:
        self.is_closed = False
        self.dialled_at = asyncio.get_running_loop().time()
        self._address = address
        self._tls = tls
        self._ended = ended
        self._owner: StreamOwner | None = None
        self._is_unreceived = False  # no byte of the owner's can have arrived
        self._last_words: bytearray | None = None  # what came before a write that failed
        self._transport: asyncio.Transport
        self._below: asyncio.Transport | None = None  # of the socket, with TLS above it

    def take(self, owner: StreamOwner) -> None:
        """Carry what the owner has to send, and what comes back."""
        self._owner = owner
        if payload := owner.unsent(None):
            self._transport.write(payload)
        # It is closing at once where the connection was, or where the first write failed; what is
        # written later may follow bytes that arrived.
        self._is_unreceived = self._has_failed
        owner.stream_opened(self)

    def fail(self, cause: LlmgwError) -> None:
        """The route ends: so does this, whatever it carries."""
        owner, self._owner = self._owner, None
        self._transport.abort()
        if owner is not None:
            owner.stream_failed(cause, False)

    # As a stream.

    def send(self, payload: bytes) -> None:
        if self.is_closed:
            return
        self._transport.write(payload)
        if self._last_words is None and not self._is_unreceived and self._has_failed:
            # Read now, and told in `connection_lost`: the owner is in the middle of sending.
            self._last_words = bytearray()
            read_on(self._below or self._transport, self.data_received)

    def finish(self) -> None:
        """Pass a half-close on; with TLS, which has none here, it is the end of both halves."""
        if self.is_closed:
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self.close()

    def discard(self) -> None:
        """Drop it with whatever is not sent yet; the server sees its client gone."""
        if self._transport.get_write_buffer_size():
            self.reset()
        else:
            self.close()

    def reset(self) -> None:
        self._owner = None
        self._transport.abort()

    def pause(self) -> None:
        if not self.is_closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self.is_closed:
            self._transport.resume_reading()

    def close(self) -> None:
        self._owner = None
        self._transport.close()

    @property
    def _has_failed(self) -> bool:
        """A write has found the connection broken, if no one here has closed it."""
        return (self._below or self._transport).is_closing()

    # asyncio's side.

    def socket_connected(self, below: asyncio.Transport) -> None:
        self._below = below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)

    def data_received(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.remember(self._transport.get_extra_info("ssl_object"))
            self._tls = None
        if self._last_words is not None:
            self._last_words += data
        elif self._owner is not None:
            self._owner.stream_data(data)
        else:
            # A server that speaks unasked (408, usually) is about to close.
            self._transport.abort()

    def eof_received(self) -> bool:
        if self._last_words is not None:
            return False
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.stream_ended()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._ended(self)
        if self._owner is not None and self._last_words:
            self._owner.stream_data(bytes(self._last_words))
        owner, self._owner = self._owner, None
        if owner is not None:
            why = f": {exc}" if exc is not None else ""
            message = f"The connection to {self._address} broke{why}."
            cause = Transient(ConditionKind.URL_UNREACHABLE, message)
            owner.stream_failed(cause, self._is_unreceived)

    def pause_writing(self) -> None:
        if self._owner is not None:
            self._owner.pause_sending()

    def resume_writing(self) -> None:
        if self._owner is not None:
            self._owner.resume_sending()


class UpstreamDialer:
    """Makes upstream connections to one address, through the environment's proxy if it has one."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._tls: ResumingContext | None = None

    async def dial(self, ended: Callable[[Upstream], None] = lambda _upstream: None) -> Upstream:
        """Connect, with TLS where the address has it.

        Raises:
            Transient: not reachable, or not in time.
            Blocked: its certificate is not trusted, or the proxy cannot be used.
        """
        try:
            with anyio.fail_after(DIAL_S):
                dialer = self._dialer()
                _, upstream = await dialer.dial(lambda: Upstream(self.address, self._tls, ended))
        except TimeoutError as error:
            message = f"{self.address} cannot be reached: no answer within {DIAL_S:g} s."
            raise Transient(ConditionKind.URL_UNREACHABLE, message, _REMEDY) from error
        except LlmgwError as error:
            raise _explained(self.address, error) from error.__cause__ or error
        return upstream

    def _dialer(self) -> Dialer:
        address = self.address
        if address.is_tls and self._tls is None:
            # Reading the system's authorities takes some 20 ms, so it waits until it is needed.
            self._tls = client_context(Trust(None, "system"), None)
        server = Server(address.host, address.port, address.prefix, address.is_tls)
        proxy = choose_proxy(server, "", "", os.environ)
        to_proxy = client_context(Trust(None, "system"), None) if proxy and proxy.is_tls else None
        return Dialer(server, proxy, self._tls, address.host, to_proxy)


_REMEDY: Final = "Check the URL, and the network (VPN, Tailscale)."


def _explained(address: Address, error: LlmgwError) -> LlmgwError:
    """Say in this route's words what the cluster's dial has found."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError) and not isinstance(error, ProxyRefused):
        return Blocked(
            ConditionKind.TLS_UNTRUSTED,
            f"The certificate of {address} is not trusted: {cause.verify_message}.",
            "Check the URL, or name the PEM file of an authority of your own in SSL_CERT_FILE for"
            " llmgwd.",
        )
    if isinstance(error, Blocked):
        return Blocked(ConditionKind.URL_UNREACHABLE, f"{address}: {error.message}", error.remedy)
    found = reason(cause) if isinstance(cause, Exception) else error.message
    return Transient(
        ConditionKind.URL_UNREACHABLE, f"{address} cannot be reached: {found}.", _REMEDY
    )
