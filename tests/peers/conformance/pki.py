"""Certificates of the kinds that clusters have, beside those of the simulated cluster."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llmgwsim.net.tls import Identity


@dataclass(frozen=True)
class Signer:
    """An authority without key identifiers, as old tools make them."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

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


def signer(name: str, by: Signer | None = None) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    return Signer(_certificate(name, key, by or key, is_authority=True), key)


def server_certificate(by: Signer, clients: bytes, *chain: Signer) -> ServerCertificate:
    """A certificate for 127.0.0.1 and localhost, shown with `chain`; takes `clients`' clients."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate("server", key, by, is_authority=False)
    shown = leaf.public_bytes(serialization.Encoding.PEM) + b"".join(each.pem for each in chain)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return ServerCertificate(clients, Identity(shown, private))


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    by: Signer | ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if isinstance(by, Signer) else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(by.key if isinstance(by, Signer) else by, hashes.SHA256())
