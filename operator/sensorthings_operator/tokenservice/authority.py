"""The authority of the door, and the door's own certificate: in a Secret of the token service's namespace."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

from sensorthings_operator.apply import authority
from sensorthings_operator.apply.authority import Pair
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.tokenservice.secrets import FIELD_MANAGER

_NAME: Final = "sensorthings tokens"
_CA: Final = ("ca.crt", "ca.key")
_SERVER: Final = ("tls.crt", "tls.key")


@dataclass(frozen=True)
class DoorAuthority:
    """Who signs, and the certificate that the door shows."""

    signer: Pair
    server: Pair


async def authority_of(
    client: KubernetesClient, namespace: str, name: str, hosts: Sequence[str], now: datetime
) -> DoorAuthority:
    """What the Secret holds, made anew where it is missing, broken, for other hosts, or in the last third of its life.

    Raises:
        ApiError: The API server could not be asked, or refused.
    """
    try:
        live = await client.get(SECRETS, namespace, name)
    except NotFoundError:
        live = {}
    held = {key: b64decode(value) for key, value in (live.get("data") or {}).items()}
    signer, server = Pair.read(held, *_CA), Pair.read(held, *_SERVER)
    if signer is None or not signer.lasts(now):
        signer, server = authority.authority(_NAME, now), None
    stands = server is not None and server.lasts(now) and server.is_of(signer)
    if server is None or not stands or server.names(x509.DNSName) != set(hosts):
        server = authority.server(signer, now, hosts)
        values = dict(zip((*_CA, *_SERVER), (signer.pem, signer.key_pem, server.pem, server.key_pem), strict=True))
        await client.apply(
            {
                "apiVersion": SECRETS.api_version,
                "kind": SECRETS.kind,
                "metadata": {"name": name, "namespace": namespace},
                "type": "Opaque",
                "data": {key: b64encode(value).decode() for key, value in values.items()},
            },
            field_manager=FIELD_MANAGER,
        )
    return DoorAuthority(signer, server)
