"""Certificates of the kinds that clusters have, beside those of the simulated cluster."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from llmgwsim.net.tls import Identity

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NAMES: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Signer:
    """An authority without key identifiers, as old tools make them."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class ServerCertificate:
    """What a server of the simulator needs of its authority: whom it trusts, what it shows."""

    pem: bytes
    identity: Identity

    def server(self) -> Identity:
        return self.identity


@dataclass(frozen=True)
class Leaf:
    """What a server's certificate says of itself."""

    common_name: str = "server"
    names: Sequence[str] = NAMES
    extensions: Sequence[x509.ExtensionType] = ()
    chain: Sequence[Signer] = field(default_factory=tuple)


def signer(name: str, by: Signer | None = None, key: Key | None = None) -> Signer:
    key = key or ec.generate_private_key(ec.SECP256R1())
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return Signer(_certificate(name, key, by or key, [constraints]), key)


def server_certificate(by: Signer, clients: bytes, leaf: Leaf = Leaf()) -> ServerCertificate:
    """A certificate that is shown with its chain, for a server that takes `clients`' clients."""
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = list(leaf.extensions)
    if leaf.names:
        extensions.append(x509.SubjectAlternativeName([_name(each) for each in leaf.names]))
    made = _certificate(leaf.common_name, key, by, extensions)
    shown = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = b"".join(each.pem for each in leaf.chain)
    return ServerCertificate(clients, Identity(shown + chain, private))


def chains(clients: bytes) -> Mapping[str, tuple[ServerCertificate, bytes]]:
    """What a server shows, and the bundle by which a client should judge it, by a name."""
    return {name: make(clients) for name, make in _CHAINS.items()}


def _root(clients: bytes) -> tuple[ServerCertificate, bytes]:
    root = signer("root")
    middle = signer("middle", root)
    return server_certificate(middle, clients, Leaf(chain=[middle])), root.pem


def _intermediate(clients: bytes) -> tuple[ServerCertificate, bytes]:
    middle = signer("middle", signer("root"))
    return server_certificate(middle, clients, Leaf(chain=[middle])), middle.pem


def _leaf(clients: bytes) -> tuple[ServerCertificate, bytes]:
    made = server_certificate(signer("root"), clients)
    return made, made.identity.certificate


def _rotated(signs: int, of: int = 2) -> Callable[[bytes], tuple[ServerCertificate, bytes]]:
    def make(clients: bytes) -> tuple[ServerCertificate, bytes]:
        namesakes = [signer("rotated") for _ in range(of)]
        bundle = b"".join(each.pem for each in namesakes)
        return server_certificate(namesakes[signs], clients), bundle

    return make


def _old_intermediate(clients: bytes) -> tuple[ServerCertificate, bytes]:
    root = signer("root")
    old, new = signer("middle", root), signer("middle", root)
    return server_certificate(new, clients, Leaf(chain=[new])), old.pem + root.pem


def _weak(clients: bytes) -> tuple[ServerCertificate, bytes]:
    weak = signer("weak", key=rsa.generate_private_key(65537, 1024))
    return server_certificate(weak, clients), weak.pem


def _saying(leaf: Leaf) -> Callable[[bytes], tuple[ServerCertificate, bytes]]:
    def make(clients: bytes) -> tuple[ServerCertificate, bytes]:
        root = signer("root")
        return server_certificate(root, clients, leaf), root.pem

    return make


def _of_other_key(clients: bytes) -> tuple[ServerCertificate, bytes]:
    """The authority was renewed with its key; the certificate names the one before by number."""
    root = signer("root")
    of_old = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(root.certificate.subject)], 1)
    return server_certificate(root, clients, Leaf(extensions=[of_old])), root.pem


_CHAINS: Final[Mapping[str, Callable[[bytes], tuple[ServerCertificate, bytes]]]] = {
    "root": _root,
    "intermediate": _intermediate,
    "leaf": _leaf,
    "rotated": _rotated(1),
    "rotated back": _rotated(0),
    "rotated often": _rotated(4, of=5),
    "old intermediate beside the root": _old_intermediate,
    "renewed": _of_other_key,
    "of a weak key": _weak,
    "without names": _saying(Leaf("localhost", ())),
    "for any purpose": _saying(
        Leaf(extensions=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])])
    ),
    "for clients": _saying(
        Leaf(extensions=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])])
    ),
}


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _certificate(
    name: str, key: Key, by: Signer | Key, extensions: Sequence[x509.ExtensionType]
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if isinstance(by, Signer) else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=2))
    )
    for extension in extensions:
        is_critical = isinstance(extension, x509.BasicConstraints)
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(by.key if isinstance(by, Signer) else by, hashes.SHA256())
