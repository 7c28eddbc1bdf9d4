"""What ``sensorthings doctor`` saw, at one time. Filled by ``asking``; judged by ``judging`` and its like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from sensorthings_operator.desired.keycloak import RealmClient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sensorthings_operator.cli.doctor.clock import Offset
    from sensorthings_operator.cli.doctor.token import Claims
    from sensorthings_operator.cli.tls import Failure

NOT_AN_ENTITY: Final = b"nothing that could be stored"
"""The body of every POST and PUBLISH: no service can create anything of it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the service: whether it holds, and the operator's own words."""

    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The service, as far as its identity is concerned.

    Attributes:
        auth: spec.auth.type.
        realm: as the spec names it; empty where auth is not Keycloak.
        url: of the REST API, down to the version; empty where the operator has told none yet.
        broker: of MQTT over TCP; likewise.
        web_socket: of MQTT over WebSocket; likewise.
    """

    namespace: str
    name: str
    auth: str
    realm: str
    anonymous_read: bool
    publishing: bool
    url: str
    broker: str
    web_socket: str
    conditions: Mapping[str, Condition]

    @classmethod
    def of(cls, live: Mapping[str, Any]) -> Self:
        """From an object of the API server."""
        metadata, spec, status = live["metadata"], live["spec"], live.get("status", {})
        auth = spec["auth"]
        urls = {each["name"]: each["url"] for each in status.get("endpoints", ())}
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            auth=auth["type"],
            realm=auth.get("keycloak", {}).get("realm", ""),
            anonymous_read=auth.get("anonymousRead", True),
            publishing=spec.get("mqtt", {}).get("publishing", {}).get("enabled", False),
            url=urls.get("sensorthings", ""),
            broker=urls.get("mqtt", ""),
            web_socket=urls.get("mqtt-websocket", ""),
            conditions={
                each["type"]: Condition(each["status"], each.get("reason", ""), each.get("message", ""))
                for each in status.get("conditions", ())
            },
        )

    @property
    def client_id(self) -> str:
        """Its client in Keycloak, whose roles tokens have to carry."""
        return RealmClient(self.namespace, self.name, "").client_id


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the pods are told of Keycloak, and the ConfigMap that tells them.

    Attributes:
        url: of the Keycloak, without a slash at its end.
        authorities: certificates in PEM that vouch for it; empty where any public CA will do.
    """

    source: str
    url: str
    realm: str
    client_id: str
    authorities: str

    @classmethod
    def of(cls, live: Mapping[str, Any]) -> Self:
        """From the ConfigMap.

        Raises:
            ValueError: it is not as the operator writes it.
        """
        name, data = live["metadata"]["name"], live.get("data") or {}
        try:
            told = json.loads(data["keycloak.json"])
            url, realm, client_id = (str(told[key]) for key in ("auth-server-url", "realm", "resource"))
        except (KeyError, TypeError, ValueError):
            message = f"ConfigMap {name} holds no keycloak.json as the operator writes it"
            raise ValueError(message) from None
        authorities = "".join(text for key, text in sorted(data.items()) if key.endswith(".crt"))
        return cls(f"ConfigMap {name}", url.rstrip("/"), realm, client_id, authorities)

    @property
    def issuer(self) -> str:
        """What tokens have to name as their issuer: the pods look for it there."""
        return f"{self.url}/realms/{self.realm}"


@dataclass(frozen=True, slots=True)
class Handshake:
    """A TLS handshake: for how long the certificate holds, or why there was none."""

    where: str
    begins: datetime | None = None
    ends: datetime | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer by HTTP, or why there was none.

    Attributes:
        clock: of whoever answered, where it said.
        issuer: of a discovery document; empty elsewhere.
    """

    where: str
    status: int | None = None
    clock: Offset | None = None
    issuer: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a broker answered: reason codes of MQTT 5 (section 2.4), None where it did not come to that."""

    where: str
    connected: int | None = None
    subscribed: int | None = None
    published: int | None = None
    ended: int | None = None
    """Why the broker ended the connection, where it said; 0 where it just did."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token: what stands in it, and who took it.

    Attributes:
        source: in words, such as ``Secret counter-token``.
        unreadable: why there is none, or what is wrong with it.
        wanted: the roles that it is to carry; empty where nothing says.
        posted: the answer to a POST with it.
        said: the answer to an MQTT connection with it.
    """

    source: str
    claims: Claims | None = None
    unreadable: str = ""
    remedy: str = ""
    wanted: tuple[str, ...] = ()
    posted: Reply | None = None
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that was seen; what could not be looked at is None."""

    now: datetime
    subject: Subject
    adapter: Adapter | None = None
    no_adapter: str = ""
    """Why what the pods are told is not known."""
    keycloak: Handshake | None = None
    discovery: Reply | None = None
    https: Handshake | None = None
    root: Reply | None = None
    read: Reply | None = None
    write: Reply | None = None
    mqtts: Handshake | None = None
    anonymous: Said | None = None
    web_socket: Said | None = None
    token: Token | None = None
