"""Issues the certificates with which the parts of one service know each other, and says when they are due.

A certificate authority of the service's own vouches for one server and one client: nothing from outside is trusted, and
a client certificate lets in nowhere else. Keys are on the curve P-256. Used where Secrets are applied.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sensorthings_operator.desired.buscertificates import (
    CA,
    CA_KEY,
    CLIENT,
    CLIENT_KEY,
    CLIENT_KEYSTORE,
    SERVER,
    SERVER_KEY,
    STORE_PASSWORD,
    TRUSTSTORE,
)

AUTHORITY_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=365)
_CLOCK_SKEW: Final = timedelta(minutes=5)
_CLIENT_NAME: Final = "frost"
_PAIRS: Final = ((CA, CA_KEY), (SERVER, SERVER_KEY), (CLIENT, CLIENT_KEY))

Values = Mapping[str, bytes]
_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def are_due(held: Values, hosts: Sequence[str], now: datetime) -> bool:
    """Whether any of it is missing, broken, for other hosts, or in the last third of its life."""
    try:
        authority, server, client = (_pair(held, *keys) for keys in _PAIRS)
        for leaf, _ in (server, client):
            leaf.verify_directly_issued_by(authority[0])
        named = server[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (KeyError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return True
    stands = all(_lasts(pair[0], now) for pair in (authority, server, client))
    return not (stands and held.get(CLIENT_KEYSTORE) and held.get(TRUSTSTORE)) or set(
        named.get_values_for_type(x509.DNSName)
    ) != set(hosts)


def issue(held: Values, hosts: Sequence[str], now: datetime) -> dict[str, bytes]:
    """All values of the Secret, made anew; the authority stays where it still lasts.

    Its successor is not trusted by whoever still has the old one: both sides start anew then (docs/limits.md).
    """
    authority = _authority(held, now)
    certificate, key = authority
    server, server_key = _leaf(authority, now, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, hosts)
    client, client_key = _leaf(authority, now, _CLIENT_NAME, ExtendedKeyUsageOID.CLIENT_AUTH)
    protected = serialization.BestAvailableEncryption(STORE_PASSWORD.encode())
    keystore = pkcs12.serialize_key_and_certificates(b"frost", client_key, client, [certificate], protected)
    truststore = pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(certificate, b"bus")], protected)
    return {
        CA: _pem(certificate),
        CA_KEY: _key_pem(key),
        SERVER: _pem(server),
        SERVER_KEY: _key_pem(server_key),
        CLIENT: _pem(client),
        CLIENT_KEY: _key_pem(client_key),
        CLIENT_KEYSTORE: keystore,
        TRUSTSTORE: truststore,
    }


def _pair(held: Values, certificate: str, key: str) -> _Pair:
    loaded = x509.load_pem_x509_certificate(held[certificate])
    private = serialization.load_pem_private_key(held[key], password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or loaded.public_key() != private.public_key():
        msg = "the key is not that of the certificate"
        raise ValueError(msg)
    return loaded, private


def _lasts(certificate: x509.Certificate, now: datetime) -> bool:
    begun, over = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now < over - (over - begun) / 3


def _authority(held: Values, now: datetime) -> _Pair:
    try:
        found = _pair(held, CA, CA_KEY)
    except (KeyError, ValueError, TypeError):
        found = None
    if found is not None and _lasts(found[0], now):
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sensorthings bus")])
    builder = _builder(name, name, key, now, AUTHORITY_LIFE).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    usage = _usage(key_cert_sign=True)
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key


def _leaf(authority: _Pair, now: datetime, name: str, usage: x509.ObjectIdentifier, hosts: Sequence[str] = ()) -> _Pair:
    certificate, signer = authority
    key = ec.generate_private_key(ec.SECP256R1())
    # A common name holds 64 characters; hosts are read from the alternative names.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    builder = _builder(subject, certificate.subject, key, now, LEAF_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if hosts:
        named = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(named, critical=False)
    return builder.sign(signer, hashes.SHA256()), key


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


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
