"""TLS of the simulated API server: its own authority, and a transport over a `Wire`.

TLS runs over memory buffers here, not in the event loop, so that the network below it can delay
and hold what passes. The authority lives in memory; only `write_pem` puts a key on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from llmgwsim.net.network import READ_BYTES, buffers

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.net.network import Wire

# A name for `tls-server-name`: the certificate holds it, no resolver knows it.
SERVER_NAME = "kubernetes.llmgw-demo.test"
_HOST_NAMES = ("localhost", "kubernetes", "kubernetes.default", SERVER_NAME)
_ADDRESSES = ("127.0.0.1", "::1")
# TLS hands out one record a read; this much is gathered before the next floor is called.
_RECORD_BYTES = 16 * 1024
_GATHER_BYTES = READ_BYTES - _RECORD_BYTES
# As Go's server says it, without TLS.
_TO_PLAIN_HTTP = (
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def write_pem(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `name.crt` and `name.key` (mode 0600) into the folder; return their paths."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self.certificate)
        key.touch(mode=0o600)
        key.chmod(0o600)
        key.write_bytes(self.key)
        return certificate, key


NO_SHIFT = datetime.timedelta(0)


class Authority:
    """A certificate authority of one cluster; gone with the process."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llmgw demo authority")])
        builder = _builder(self._name, self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_usage(signs_certificates=True), True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, shift: datetime.timedelta = NO_SHIFT, name: str = "") -> Identity:
        """The API server's certificate; `shift` moves its 30 days, `name` is its only one."""
        names: list[x509.GeneralName] = [x509.DNSName(each) for each in _HOST_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(text)) for text in _ADDRESSES]
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name)] if name else names)
        return self._issue("kubernetes", [], ExtendedKeyUsageOID.SERVER_AUTH, alternatives, shift)

    def client(self, user: str, groups: tuple[str, ...] = ()) -> Identity:
        """A client certificate as Kubernetes reads it: common name is the user, O its groups."""
        return self._issue(user, list(groups), ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _issue(
        self,
        common_name: str,
        organizations: list[str],
        usage: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None,
        shift: datetime.timedelta = NO_SHIFT,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        builder = _builder(x509.Name(attributes), self._name, key.public_key(), shift)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_usage(signs_certificates=False), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        # Python's strict verification asks for the key identifiers.
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, False)
        if alternatives is not None:
            builder = builder.add_extension(alternatives, False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Identity(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    shift: datetime.timedelta = NO_SHIFT,
) -> x509.CertificateBuilder:
    # An hour back: a test machine's clock and ours may be the same and still be read apart.
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1) + shift
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=30))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def server_context(authority: Authority, shown: Identity | None = None) -> ssl.SSLContext:
    """A context that takes client certificates of the authority, and connections without one; it
    shows a certificate of the authority, or another one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authority.pem.decode())
    with tempfile.TemporaryDirectory(prefix="llmgw-demo-") as folder:
        os.chmod(folder, 0o700)
        identity = shown or authority.server()
        context.load_cert_chain(*identity.write_pem(Path(folder), "server"))
    return context


class TlsTransport(asyncio.Transport):
    """The server's end of one TLS connection: an asyncio transport for any protocol."""

    def __init__(
        self, wire: Wire, context: ssl.SSLContext, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        super().__init__()
        self._wire = wire
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._first_protocol = protocol
        self._protocol: asyncio.BaseProtocol | None = None
        self._is_reading = True
        self._is_closing = False
        self._is_ended = False

    # Called by the wire

    def wire_opened(self) -> None:
        return None

    def wire_received(self, piece: memoryview | bytes) -> None:
        self._incoming.write(piece)
        self._advance()

    def wire_eof(self) -> None:
        self._end()

    def wire_lost(self, error: Exception | None) -> None:
        self._is_closing = True
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    # Called by the protocol

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._is_closing or not data:
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        self._flush()

    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        # The close-notify is sent and its answer not waited for, as Go's server does.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._wire.close()

    def abort(self) -> None:
        self._is_closing = True
        self._wire.abort()

    def is_closing(self) -> bool:
        return self._is_closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def pause_reading(self) -> None:
        self._is_reading = False
        self._wire.pause_reading()

    def resume_reading(self) -> None:
        if self._is_reading or self._is_closing:
            return
        self._is_reading = True
        self._wire.resume_reading()
        if self._incoming.pending or self._tls.pending():
            asyncio.get_running_loop().call_soon(self._advance)

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peercert":
            return self._tls.getpeercert()
        return self._wire.transport.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._wire.transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._wire.transport.get_write_buffer_size()

    # Inside

    def _advance(self) -> None:
        try:
            if self._protocol is None:
                self._shake_hands()
            while self._protocol is not None and self._is_reading and self._decrypt():
                pass
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLZeroReturnError:
            self._end()
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                self._wire.send(_TO_PLAIN_HTTP)
            else:
                self._flush()
            self.abort() if self._protocol else self._wire.close()

    def _shake_hands(self) -> None:
        if self._is_closing:
            return
        self._tls.do_handshake()
        self._flush()
        self._protocol = self._first_protocol()
        self._protocol.connection_made(self)

    def _decrypt(self) -> bool:
        """Hand on what came in whole records; True when there may be more."""
        buffer = buffers.plain
        size = 0
        is_ended = False
        try:
            while size < _GATHER_BYTES and not is_ended:
                # With a buffer given, the answer is how much was put there; 0 is a close-notify.
                count = cast("int", self._tls.read(_RECORD_BYTES, buffer[size:]))
                size += count
                is_ended = count == 0
        except ssl.SSLWantReadError:
            if not size:
                raise
        except ssl.SSLZeroReturnError:
            is_ended = True
        protocol = self._protocol
        if size and isinstance(protocol, asyncio.Protocol):
            protocol.data_received(bytes(buffer[:size]))
        if is_ended:
            self._end()
        return size >= _GATHER_BYTES and not is_ended

    def _end(self) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        protocol = self._protocol
        keep = isinstance(protocol, asyncio.Protocol) and protocol.eof_received()
        if not keep:
            self.close()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._wire.send(self._outgoing.read())
