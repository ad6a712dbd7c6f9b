"""One connection to the API server: TCP, through a proxy where there is one, then TLS.

REST, watches and upgrades all come through here, so that a proxy, a tls-server-name or a client
certificate cannot be honoured by one of them and forgotten by another. Cancelling a dial closes
what it has opened.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.net.http_head import HeadReader
from llmgwd.net.tls import by_each_authority
from llmgwd.net.transports import transport_on, with_tls
from llmgwd.system.process.descriptors import raise_if_exhausted

if TYPE_CHECKING:
    from llmgwd.net.proxy import Proxy
    from llmgwd.net.server import Server
    from llmgwd.net.tls import ResumingContext

_NEXT_ADDRESS_AFTER_S = 0.25
NETWORK_REMEDY: Final = "Check the network, the VPN and the firewall between here and there."
_DISTRUST_REMEDY = (
    "Check certificate-authority and tls-server-name of the cluster in the kubeconfig."
)
_CLOCK = "Check this machine's clock. If it is right, the server needs a new certificate."
_NAME = "Check the server's address and tls-server-name of the cluster in the kubeconfig."
# By OpenSSL's X509_V_ERR_…: where its words alone do not say what to do.
_DISTRUST_REMEDIES = {
    9: _CLOCK,
    10: _CLOCK,
    # Here and at 26 it asks for more than kubectl, which may well connect.
    20: (
        "Check certificate-authority of the cluster in the kubeconfig. If it was renewed with its "
        "key, renew the server's certificate too: it names the authority before by its number."
    ),
    26: "Have the server's certificate made anew with the extended key usage serverAuth.",
    62: _NAME,  # of another host
    64: _NAME,  # of another address
}

P = TypeVar("P", bound=asyncio.Protocol)


class ProxyRefused(Blocked):
    """A person must act on the proxy, not on the server behind it."""


class ProxyUnreachable(OSError):
    """No connection to the proxy itself; the text names it."""

    def __init__(self, proxy: Proxy, error: Exception) -> None:
        super().__init__(f"the proxy {proxy} cannot be reached: {reason(error)}")


@dataclass(frozen=True, slots=True)
class Dialer:
    """How to reach a server: all that a dial needs to know. `tls_name` is checked and sent.

    `proxy_tls` is for an https proxy, whose certificate must hold `proxy_name` (its host if "").
    """

    server: Server
    proxy: Proxy | None
    tls: ResumingContext | None
    tls_name: str
    proxy_tls: ResumingContext | None = None
    proxy_name: str = ""

    async def dial(
        self, factory: Callable[[], P], shutdown_s: float | None = None
    ) -> tuple[asyncio.Transport, P]:
        """Connect; the protocol is the factory's, its connection_made has been called.

        `shutdown_s` is how long a closed transport waits for the peer's goodbye (and for its own
        last bytes to leave); asyncio's default is 30 s.

        Raises:
            Transient: not reachable.
            Blocked: the server's certificate is not trusted, or the proxy wants a login.
        """
        try:
            return await by_each_authority(
                self.tls,
                lambda tls: replace(self, tls=tls)._dial(factory, shutdown_s if tls else None),
            )
        except (OSError, EOFError, UnicodeError) as error:
            raise dial_error(self, error) from error

    async def _dial(
        self, factory: Callable[[], P], shutdown_s: float | None
    ) -> tuple[asyncio.Transport, P]:
        if self.proxy is not None and not self.proxy.is_socks:
            return await _through_http_proxy(self, self.proxy, factory, shutdown_s)
        if self.proxy is not None:
            sock = await _through_socks(self.proxy, self.server)
        else:
            sock = await _connect(self.server.host, self.server.port)
        return await transport_on(sock, factory, self.tls, self.tls_name, shutdown_s)


def dial_error(dialer: Dialer, error: Exception) -> LlmgwError:
    """Say what a failed connection means.

    Raises:
        Transient: it means nothing about the server; we have no descriptor left.
    """
    raise_if_exhausted(error)
    where = dialer.server.authority
    if isinstance(error, ssl.SSLCertVerificationError):
        return Blocked(
            ConditionKind.TLS_UNTRUSTED,
            f"the certificate of {where} is not trusted: {error.verify_message.rstrip('.')}",
            _DISTRUST_REMEDIES.get(error.verify_code, _DISTRUST_REMEDY),
        )
    is_short = isinstance(error, ProxyUnreachable)  # names the proxy itself
    return Transient(
        ConditionKind.API_SERVER_UNREACHABLE,
        f"cannot reach {where if is_short else _named(dialer)}: {reason(error)}",
        NETWORK_REMEDY,
    )


def unanswered(dialer: Dialer, within_s: float | None = None) -> LlmgwError:
    """Say that nothing came back: the silence of a network and that of a server are the same."""
    within = "in time" if within_s is None else f"within {within_s:.0f} s"
    return Transient(
        ConditionKind.API_SERVER_UNREACHABLE,
        f"{_named(dialer)} gave no answer {within}: what is sent goes nowhere, or the server hangs",
        NETWORK_REMEDY,
    )


def _named(dialer: Dialer) -> str:
    via = f" through {dialer.proxy}" if dialer.proxy else ""
    return f"{dialer.server.authority}{via}"


def reason(error: Exception) -> str:
    """The operating system's own words, without Python's additions."""
    number = error.errno if isinstance(error, OSError) else None
    if number and number > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(number)
    said = getattr(error, "strerror", None) or str(error)
    if not said and isinstance(error, ConnectionError):
        return os.strerror(errno.ECONNRESET)  # asyncio's own, of an end amid the handshake
    return said or type(error).__name__


async def _connect(host: str, port: int) -> socket.socket:
    """Connect over whichever of IPv6 and IPv4 answers first (RFC 8305).

    Not asyncio's own: uvloop has none.
    """
    from aiohappyeyeballs import start_connection

    try:
        found = await _addresses(host, port)
        return await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S)
    except RuntimeError as error:
        # No thread can be started to ask for the name; uvloop has it for a failed connection, too.
        raise OSError(str(error)) from error


async def _addresses(host: str, port: int) -> list[Any]:
    """Look a host up; a literal address needs no thread, which a machine under load may refuse.

    Not by the loop's own getaddrinfo: uvloop's ends the process where it gets no thread.
    """
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        return look_up(flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.get_running_loop().run_in_executor(None, look_up)


async def _to_http_proxy(
    dialer: Dialer, proxy: Proxy, shutdown_s: float | None
) -> tuple[asyncio.Transport, HeadReader]:
    async def connect(tls: ResumingContext | None) -> tuple[asyncio.Transport, HeadReader]:
        name = dialer.proxy_name or proxy.host
        try:
            sock = await _connect(proxy.host, proxy.port)
            return await transport_on(sock, partial(HeadReader, b"CONNECT"), tls, name, shutdown_s)
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, EOFError) as error:
            raise_if_exhausted(error)
            raise ProxyUnreachable(proxy, error) from error

    try:
        return await by_each_authority(dialer.proxy_tls if proxy.is_tls else None, connect)
    except ssl.SSLCertVerificationError as error:
        raise ProxyRefused(
            ConditionKind.TLS_UNTRUSTED,
            f"the certificate of the proxy {proxy} is not trusted: {error.verify_message}",
            "Have certificate-authority hold the proxy's authority as well.",
        ) from error


async def _through_http_proxy(
    dialer: Dialer, proxy: Proxy, factory: Callable[[], P], shutdown_s: float | None
) -> tuple[asyncio.Transport, P]:
    """Ask for a tunnel by CONNECT; TLS to the server then runs in it (in TLS to the proxy, for
    an https proxy).

    Raises:
        Blocked: the proxy's own certificate is not trusted, or it wants a login.
    """
    transport, reader = await _to_http_proxy(dialer, proxy, shutdown_s)
    try:
        transport.write(_connect_request(dialer.server, proxy))
        status, _ = await reader.read_head()
        if status != 200:
            raise _proxy_refusal(proxy, status, dialer.server.authority)
        protocol = factory()
        if dialer.tls is not None:
            return await with_tls(transport, protocol, dialer.tls, dialer.tls_name, shutdown_s)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
    except BaseException:
        transport.abort()
        raise
    return transport, protocol


def _connect_request(server: Server, proxy: Proxy) -> bytes:
    lines = [f"CONNECT {server.authority} HTTP/1.1", f"Host: {server.authority}"]
    if proxy.user:
        pair = f"{unquote(proxy.user)}:{unquote(proxy.password)}".encode()
        lines.append("Proxy-Authorization: Basic " + base64.b64encode(pair).decode())
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _proxy_refusal(proxy: Proxy, status: int, where: str) -> LlmgwError:
    if status == 407:
        return ProxyRefused(
            ConditionKind.API_SERVER_UNREACHABLE,
            f"the proxy {proxy} wants a login (407)",
            "Put it into the proxy's URL: http://USER:PASSWORD@HOST:PORT.",
        )
    if status >= 500:
        words = f"the proxy {proxy} answered {status} to CONNECT {where}: it does not reach it"
        return Transient(ConditionKind.API_SERVER_UNREACHABLE, words, NETWORK_REMEDY)
    return Transient(
        ConditionKind.API_SERVER_UNREACHABLE,
        f"the proxy {proxy} answered {status} to CONNECT {where}: it does not let that pass",
        f"Have the proxy let {where} pass, or name another one in the kubeconfig (proxy-url).",
    )


async def _through_socks(proxy: Proxy, server: Server) -> socket.socket:
    # Imported here: few people have such a proxy.
    from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
    from python_socks.async_.asyncio import Proxy as SocksProxy

    try:
        # Its own look-up is the loop's. Like that it takes one address, of IPv4 if there is one.
        found = min(await _addresses(proxy.host, proxy.port), key=lambda each: int(each[0]))
    except (OSError, RuntimeError) as error:
        raise_if_exhausted(error)
        raise ProxyUnreachable(proxy, error) from error
    dialer = SocksProxy(
        ProxyType.SOCKS5,
        found[4][0],
        proxy.port,
        unquote(proxy.user) or None,
        unquote(proxy.password) or None,
        rdns=True,
    )
    try:
        return await dialer.connect(server.host, server.port)
    except ProxyError as error:
        raise OSError(f"the proxy does not lead there: {error}") from error
    except (ProxyConnectionError, ProxyTimeoutError) as error:
        raise_if_exhausted(error)
        raise ProxyUnreachable(proxy, error) from error
