"""The cluster's certificate authority and the certificates it signs. The control plane and the kubelet call it.

Every call is idempotent: what is there and still good (signed by this authority, same subject and names, valid for
another month) is kept, anything else is made anew. Keys are on the curve P-256 and readable by their owner only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

_AUTHORITY_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=365)
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Request:
    """A certificate that is wanted.

    Args:
        name: Names its files.
        user: The common name: to Kubernetes the user.
        groups: The organizations: to Kubernetes the groups.
        hosts: DNS names and IP addresses for the subject alternative name.
    """

    name: str
    user: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def subject(self) -> x509.Name:
        """Its distinguished name."""
        groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in self.groups]
        return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, self.user)])

    def alternatives(self) -> list[x509.GeneralName]:
        """Its subject alternative names."""
        return [_general_name(host) for host in self.hosts]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a whole file or nothing, never readable by others in between."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    if not path.exists():
        return None
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in this file, made if it is not there."""
    present = _load_key(path)
    if present is not None:
        return present
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    _write(path, pem, 0o600)
    return made


class Authority:
    """A certificate authority whose files lie in one folder.

    Args:
        folder: Made if it is not there, mode 0700.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"
        self._private = key(self.key)
        self._own = self._ensure_own()

    def _ensure_own(self) -> x509.Certificate:
        if self.certificate.exists():
            present = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            if present.public_key() == self._private.public_key() and _lasts(present):
                return present
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sensorthings local cluster")])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            _builder(name, name, self._private.public_key(), _AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._private.public_key()), critical=False)
            .sign(self._private, hashes.SHA256())
        )
        _write(self.certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)
        return made

    def issue(self, request: Request) -> Pair:
        """The certificate that was asked for, and its key; valid for a year when made."""
        pair = Pair(self._folder / f"{request.name}.crt", self._folder / f"{request.name}.key")
        private = key(pair.key)
        if not self._fits(pair.certificate, request, private):
            made = self._sign(request, private)
            _write(pair.certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)
        return pair

    def _fits(self, path: Path, request: Request, private: ec.EllipticCurvePrivateKey) -> bool:
        if not path.exists():
            return False
        present = x509.load_pem_x509_certificate(path.read_bytes())
        try:
            present.verify_directly_issued_by(self._own)
        except (ValueError, InvalidSignature):
            return False
        same_key = present.public_key() == private.public_key()
        return (
            same_key
            and present.subject == request.subject()
            and _names(present) == _wanted(request)
            and _lasts(present)
        )

    def _sign(self, request: Request, private: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        builder = _builder(request.subject(), self._own.subject, private.public_key(), _LEAF_LIFE)
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._private.public_key()), critical=False
        )
        if request.hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(request.alternatives()), critical=False)
        return builder.sign(self._private, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
    )


def _lasts(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in extension.value}


def _wanted(request: Request) -> set[str]:
    return {str(name.value) for name in request.alternatives()}


def service_address(service_range: str) -> IPv4Address:
    """The address of the Service `kubernetes`: the first of the range, which the API server takes for itself."""
    return IPv4Address(int(IPv4Address(service_range.split("/", maxsplit=1)[0])) + 1)
