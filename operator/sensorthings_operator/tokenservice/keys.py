"""What opens the door to external connectors: certificates that the token service issues, and whom each one names.

A certificate names the connector by its uid, the device, and what its keys were last made anew for: another text there
shuts the door to all that were issued before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography import x509

from sensorthings_operator.apply import authority
from sensorthings_operator.apply.authority import Pair
from sensorthings_operator.apply.status import utc_now
from sensorthings_operator.desired.connector.client import ConnectorClient
from sensorthings_operator.desired.connector.feed import Connector
from sensorthings_operator.desired.metadata import digest
from sensorthings_operator.tokenservice.secrets import TokenSecrets

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
CA: Final = "ca.crt"
_LOOKED_AFTER: Final = timedelta(days=1)
_SCHEME: Final = "urn:sensorthings.city:connector"


@dataclass(frozen=True)
class Visitor:
    """Whom a certificate names."""

    uid: str
    device: str
    rotation: str
    """A hash."""

    @classmethod
    def of(cls, client: ConnectorClient) -> Self:
        """Who fetches the tokens of a client."""
        return cls(client.uid, client.device, digest(client.rotation))

    @classmethod
    def parse(cls, uri: str) -> Self | None:
        """From a certificate's alternative name; None where it is none of ours."""
        scheme, _, rest = uri.partition(f"{_SCHEME}:")
        parts = rest.split(":")
        return cls(*parts) if not scheme and len(parts) == 3 else None

    @property
    def uri(self) -> str:
        """As it stands in the certificate."""
        return f"{_SCHEME}:{self.uid}:{self.device}:{self.rotation}"


class DoorKeys:
    """Keeps the certificates of external connectors in their Secrets.

    Args:
        secrets: Where they are written.
        signer: Gives the authority; None where the door is shut for good.
        now: The time of day.
    """

    def __init__(
        self, secrets: TokenSecrets, signer: Callable[[], Pair | None], *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._secrets = secrets
        self._signer = signer
        self._now = now
        self._kept: dict[str, tuple[frozenset[str], datetime]] = {}
        """By uid: the names for which certificates stand, and when that was looked at."""

    async def keep(self, connector: Connector, wanted: Sequence[ConnectorClient]) -> None:
        """Have each client of an external connector a certificate that lasts.

        Raises:
            ApiError: The API server could not be asked, or refused.
            ForeignSecretError: Somebody else has a Secret of that name.
        """
        signer = self._signer()
        if signer is None or not connector.spec.external:
            return
        uris = frozenset(Visitor.of(each).uri for each in wanted)
        if self._stood(connector, uris):
            return
        held = await self._secrets.read(connector, connector.door_secret)
        values, changed = {CA: signer.pem}, held.get(CA) != signer.pem
        for each in wanted:
            certificate, key = _names(each.device)
            pair = Pair.read(held, certificate, key)
            if pair is None or not self._stands(pair, signer, Visitor.of(each)):
                pair, changed = authority.client(signer, self._now(), each.client_id, Visitor.of(each).uri), True
            values |= {certificate: pair.pem, key: pair.key_pem}
        if changed or set(held) != set(values):
            await self._secrets.write(connector, connector.door_secret, values)
        self._kept[connector.uid] = uris, self._now()

    async def withdraw(self, connector: Connector) -> None:
        """Take the Secret away.

        Raises:
            ApiError: The API server could not be asked, or refused.
        """
        if not self._stood(connector, frozenset()):
            await self._secrets.delete(connector, connector.door_secret)
            self._kept[connector.uid] = frozenset(), self._now()

    def forget(self, uid: str) -> None:
        """The connector is gone, and its Secret with it."""
        self._kept.pop(uid, None)

    def _stood(self, connector: Connector, uris: frozenset[str]) -> bool:
        before, looked = self._kept.get(connector.uid, (None, self._now()))
        return before == uris and self._now() - looked < _LOOKED_AFTER

    def _stands(self, pair: Pair, signer: Pair, visitor: Visitor) -> bool:
        named = pair.names(x509.UniformResourceIdentifier)
        return pair.lasts(self._now()) and pair.is_of(signer) and named == {visitor.uri}


def _names(device: str) -> tuple[str, str]:
    """The keys of the Secret: a certificate's and a key's."""
    return (f"device.{device}.crt", f"device.{device}.key") if device else (CERTIFICATE, KEY)
