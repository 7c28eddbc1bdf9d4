"""An authority and certificates for the machines of the tests, as the database layer has them made for Azure's."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sensorthings_stacks.machines import secrets

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Cluster, Member

_DAYS = datetime.timedelta(days=30)


class Authority:
    """Signs certificates of machines."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database of the tests")])
        own = _begun(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = self._signed(own)
        """In PEM."""

    def machines(self, cluster: Cluster) -> dict[str, str]:
        """New keys and certificates of all machines, by the names of the secrets."""
        files = {}
        for member in cluster.members:
            key = ec.generate_private_key(ec.SECP256R1())
            files[secrets.key(member.name)] = _text(key)
            files[secrets.certificate(member.name)] = self._signed(_of(member, cluster.domain, key))
        return files

    def server(self, *names: str) -> tuple[str, str]:
        """A new key and certificate of a server with these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        known = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        return _text(key), self._signed(_begun(subject, key).add_extension(known, critical=False))

    def _signed(self, begun: x509.CertificateBuilder) -> str:
        signed = begun.issuer_name(self._name).sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()


def serial(text: str) -> int:
    """Serial number of the first certificate in a text."""
    return x509.load_pem_x509_certificates(text[text.index("-----BEGIN CERTIFICATE") :].encode())[0].serial_number


def _text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _of(member: Member, domain: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    names: list[x509.GeneralName] = [
        x509.DNSName(member.name),
        x509.DNSName(f"{member.name}.{domain}"),
        x509.IPAddress(member.address),
    ]
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member.name)]), key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    )


def _begun(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _DAYS)
    )
