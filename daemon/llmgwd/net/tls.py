"""TLS towards the API server: whom to trust, what to show, and a handshake saved on each redial.

Private keys are on disk only as long as the standard library needs to read them from there.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked
from llmgwd.net import pem

# Each look at a connection's session costs some 6 KiB for ever, up to Python 3.11, 3.12.7 and
# 3.13.0 (python/cpython#116810), so sessions are looked at now and then only: often enough that a
# server which was replaced is greeted briefly again, and that no ticket gets old.
LOOK_EVERY_S: Final = 300.0
RENEW_EVERY_S: Final = 3600.0
# OpenSSL's X509_V_ERR_CERT_SIGNATURE_FAILURE.
_SIGNATURE_FAILURE: Final = 7
# Each one costs a handshake, and a bundle may hold every authority of the web.
_MAX_ALONE: Final = 16
# Python's own choice, with what Go takes besides: keys of 1024 bits, and SHA-1 in a cipher's MAC
# (not in a certificate: that takes level 0).
_CIPHERS: Final = (
    "ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!AESCCM:@SECLEVEL=1"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class ClientCertificate:
    """A certificate (chain) and its key, both PEM. `origin` names where they came from."""

    chain: bytes
    key: bytes
    origin: str

    def __repr__(self) -> str:
        return f"<ClientCertificate of {self.origin}>"


@dataclass(frozen=True, slots=True)
class Trust:
    """Which servers to trust: those of these authorities (PEM), the system's where None, or any."""

    authorities: bytes | None
    origin: str
    is_verified: bool = True


class ResumingContext(ssl.SSLContext):
    """A client context that offers the last session again, for one server.

    asyncio has no parameter for it, but asks the context for each connection's TLS object.
    """

    _session: ssl.SSLSession | None = None
    _look_at: float = 0.0
    _certificate: ClientCertificate | None = None
    _alone: list[ResumingContext] | None = None
    _preferred: ResumingContext | None = None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        if self._preferred is not None:
            return self._preferred.wrap_bio(incoming, outgoing, server_side, server_hostname)
        offered = session or self._session
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, offered)

    def remember(self, tls: ssl.SSLObject | None) -> None:
        """Keep the session of a connection that has received its first bytes: with TLS 1.3 the
        tickets come after the handshake.
        """
        if tls is not None and isinstance(tls.context, ResumingContext):
            # It may be one of `each_alone`, whose sessions are no other context's.
            tls.context._keep_session(tls)

    def _keep_session(self, tls: ssl.SSLObject) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        session = tls.session
        has_ticket = session is not None and session.has_ticket
        if has_ticket:
            self._session = session
        self._look_at = now + (RENEW_EVERY_S if has_ticket and tls.session_reused else LOOK_EVERY_S)

    def each_alone(self) -> Sequence[ResumingContext]:
        """A context for each authority by itself, those first that share a name."""
        if self._alone is None:
            names = [str(each["subject"]) for each in self.get_ca_certs()]
            ders = self.get_ca_certs(binary_form=True)
            shared = [der for der, name in zip(ders, names, strict=True) if names.count(name) > 1]
            # One with a name of its own may be in the way of an authority that the server shows.
            others = [der for der in ders if der not in shared] if len(ders) <= _MAX_ALONE else []
            chosen = [*shared, *others][:_MAX_ALONE]
            self._alone = [self._trusting(der) for der in chosen] if len(ders) > 1 else []
        return self._alone

    def prefer(self, alone: ResumingContext) -> None:
        """Begin with this one of `each_alone` from now on."""
        self._preferred = alone

    def _trusting(self, authority: bytes) -> ResumingContext:
        context = _bare_context(self._certificate)
        context.load_verify_locations(cadata=authority)
        return context


async def by_each_authority(
    tls: ResumingContext | None, attempt: Callable[[ResumingContext | None], Awaitable[T]]
) -> T:
    """Make an attempt, and where a signature is wrong another with each authority alone.

    Of several authorities of one name OpenSSL tries one (the first that is valid now), unless key
    identifiers tell them apart; Go tries all. A chain that leads to any authority leads to it alone
    as well, so the trust is the same.
    """
    try:
        return await attempt(tls)
    except ssl.SSLCertVerificationError as error:
        if tls is None or error.verify_code != _SIGNATURE_FAILURE:
            raise
        for alone in tls.each_alone():
            try:
                made = await attempt(alone)
            except ssl.SSLCertVerificationError:
                continue
            tls.prefer(alone)
            return made
        raise


def client_context(trust: Trust, certificate: ClientCertificate | None) -> ResumingContext:
    """Build a context that speaks HTTP/1.1 only.

    Not `create_default_context`: from Python 3.13 on that is strict in ways (a missing key
    identifier) that the authorities of many clusters do not meet. As in Go, any certificate that
    is given as an authority ends a chain, an intermediate one too.

    Raises:
        Blocked: an authority, certificate or key that cannot be read.
    """
    context = _bare_context(certificate)
    if not trust.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif trust.authorities is None:
        context.load_default_certs()
    else:
        _load_authorities(context, trust)
    return context


def name_to_verify(name: str) -> str:
    """The name that a certificate must hold, as Go writes it: an address without brackets, a name
    without its last dot.
    """
    bare = name.removeprefix("[").removesuffix("]") if name[:1] == "[" else name.removesuffix(".")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return bare
    return str(getattr(address, "ipv4_mapped", None) or bare)


def _bare_context(certificate: ClientCertificate | None) -> ResumingContext:
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Go knows no other names than the alternative ones.
    context.hostname_checks_common_name = False
    if certificate is not None:
        _load_certificate(context, certificate)
        context._certificate = certificate
    return context


def _load_authorities(context: ssl.SSLContext, trust: Trust) -> None:
    reason = "it holds no certificate"
    loaded = 0
    for der in pem.authorities(trust.authorities or b""):
        try:
            context.load_verify_locations(cadata=der)
        except (ssl.SSLError, ValueError) as error:
            reason = _reason(error)
        else:
            loaded += 1
    if not loaded:
        raise Blocked(
            ConditionKind.CERTIFICATE_UNREADABLE,
            f"{trust.origin}: not a certificate authority in PEM ({reason})",
            "It must hold -----BEGIN CERTIFICATE-----.",
        )


def _load_certificate(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    # The folder is made 0700, so that no other user can read it even for that moment.
    with tempfile.TemporaryDirectory(prefix="llmgwd-") as folder:
        chain, key = Path(folder, "chain"), Path(folder, "key")
        _write_private(chain, pem.chain(certificate.chain))
        _write_private(key, pem.private_key(certificate.key))
        try:
            context.load_cert_chain(chain, key, password=_refuse_password)
        except (ssl.SSLError, ValueError, OSError) as error:
            raise Blocked(
                ConditionKind.CERTIFICATE_UNREADABLE,
                f"{certificate.origin}: not a certificate and its key in PEM ({_reason(error)})",
                "It must hold -----BEGIN CERTIFICATE----- and an unencrypted private key.",
            ) from error


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _refuse_password() -> NoReturn:
    """Without this OpenSSL asks at the terminal and the daemon waits for ever."""
    raise ValueError("the key is encrypted")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
