"""Issues the certificates with which the parts of one service know each other, and says when they are due.

A certificate authority of the service's own vouches for one server and one client: nothing from outside is trusted, and
a client certificate lets in nowhere else. Used where Secrets are applied.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from sensorthings_operator.apply import authority
from sensorthings_operator.apply.authority import Pair
from sensorthings_operator.desired.buscertificates import (
    CA,
    CA_KEY,
    CLIENT,
    CLIENT_KEY,
    CLIENT_KEYSTORE,
    CLIENT_NAME,
    SERVER,
    SERVER_KEY,
    STORE_PASSWORD,
    TRUSTSTORE,
)

_AUTHORITY_NAME: Final = "sensorthings bus"

Values = Mapping[str, bytes]


def are_due(held: Values, hosts: Sequence[str], now: datetime) -> bool:
    """Whether any of it is missing, broken, for other hosts, or in the last third of its life."""
    signer, server, client = (
        Pair.read(held, *keys) for keys in ((CA, CA_KEY), (SERVER, SERVER_KEY), (CLIENT, CLIENT_KEY))
    )
    if signer is None or server is None or client is None:
        return True
    stands = all(pair.lasts(now) for pair in (signer, server, client))
    signed = server.is_of(signer) and client.is_of(signer)
    stores = held.get(CLIENT_KEYSTORE) and held.get(TRUSTSTORE)
    return not (stands and signed and stores) or server.names(x509.DNSName) != set(hosts)


def issue(held: Values, hosts: Sequence[str], now: datetime) -> dict[str, bytes]:
    """All values of the Secret, made anew; the authority stays where it still lasts.

    Its successor is not trusted by whoever still has the old one: both sides start anew then (docs/limits.md).
    """
    signer = Pair.read(held, CA, CA_KEY)
    if signer is None or not signer.lasts(now):
        signer = authority.authority(_AUTHORITY_NAME, now)
    server = authority.server(signer, now, hosts)
    client = authority.client(signer, now, CLIENT_NAME)
    protected = serialization.BestAvailableEncryption(STORE_PASSWORD.encode())
    keystore = pkcs12.serialize_key_and_certificates(
        b"frost", client.key, client.certificate, [signer.certificate], protected
    )
    truststore = pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(signer.certificate, b"bus")], protected)
    return {
        CA: signer.pem,
        CA_KEY: signer.key_pem,
        SERVER: server.pem,
        SERVER_KEY: server.key_pem,
        CLIENT: client.pem,
        CLIENT_KEY: client.key_pem,
        CLIENT_KEYSTORE: keystore,
        TRUSTSTORE: truststore,
    }
