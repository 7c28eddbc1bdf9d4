"""A certificate authority of our own and what it signs. Keys are on the curve P-256. Used where Secrets are made.

Pure but for the keys that are drawn: nothing is read or sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=365)
_CLOCK_SKEW: Final = timedelta(minutes=5)
_LONGEST_COMMON_NAME: Final = 64


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, held: Mapping[str, bytes], certificate: str, key: str) -> Self | None:
        """What a Secret holds under two keys, in PEM; None where it is missing or broken."""
        try:
            loaded = x509.load_pem_x509_certificate(held[certificate])
            private = serialization.load_pem_private_key(held[key], password=None)
        except (KeyError, ValueError, TypeError):
            return None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or loaded.public_key() != private.public_key():
            return None
        return cls(loaded, private)

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key, unencrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def lasts(self, now: datetime) -> bool:
        """Whether it is not in the last third of its life."""
        begun, over = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        return now < over - (over - begun) / 3

    def is_of(self, authority: "Pair") -> bool:
        """Whether an authority signed it."""
        try:
            self.certificate.verify_directly_issued_by(authority.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def names(self, kind: type[x509.DNSName | x509.UniformResourceIdentifier]) -> set[str]:
        """Its alternative names of one kind."""
        try:
            named = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return set()
        return set(named.get_values_for_type(kind))


def authority(name: str, now: datetime) -> Pair:
    """A new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key, now, AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Pair(builder.add_extension(_usage(key_cert_sign=True), critical=True).sign(key, hashes.SHA256()), key)


def server(signer: Pair, now: datetime, hosts: Sequence[str]) -> Pair:
    """A certificate of a server at these DNS names."""
    return _leaf(signer, now, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, [x509.DNSName(host) for host in hosts])


def client(signer: Pair, now: datetime, name: str, uri: str = "") -> Pair:
    """A certificate of a client; the URI says who it is where a common name is too short for that."""
    named = [x509.UniformResourceIdentifier(uri)] if uri else []
    return _leaf(signer, now, name, ExtendedKeyUsageOID.CLIENT_AUTH, named)


def _leaf(
    signer: Pair, now: datetime, name: str, usage: x509.ObjectIdentifier, named: Sequence[x509.GeneralName]
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # Hosts are read from the alternative names.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_COMMON_NAME])])
    builder = _builder(subject, signer.certificate.subject, key, now, LEAF_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if named:
        builder = builder.add_extension(x509.SubjectAlternativeName(named), critical=False)
    return Pair(builder.sign(signer.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    begun = now.astimezone(UTC) - _CLOCK_SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begun)
        .not_valid_after(begun + life)
    )


def _usage(**named: bool) -> x509.KeyUsage:
    everything = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{**dict.fromkeys(everything, False), **named})
