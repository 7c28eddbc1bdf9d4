"""Asks all that ``sensorthings doctor`` judges: the pods' configuration, Keycloak, HTTP, MQTT, and a token's way in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.addresses import BrokerUrl
from sensorthings_operator.cli.doctor import cluster as reading
from sensorthings_operator.cli.doctor import mqtt, token, web
from sensorthings_operator.cli.doctor.observed import Adapter, Observed, Subject, Token
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.status.cluster import ClusterError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sensorthings_operator.cli.access import Access
    from sensorthings_operator.cli.doctor.cluster import Held
    from sensorthings_operator.cli.doctor.observed import Handshake
    from sensorthings_operator.cli.status.cluster import Cluster
    from sensorthings_operator.cli.status.snapshot import Object

_A_THING: Final = "Things?$top=1&$select=id"


@dataclass(frozen=True)
class Asked:
    """What the person asked for.

    Attributes:
        connector: namespace (empty: the service's own) and name of the connector whose token is looked at.
        token: one that was given by itself, and where it came from.
        access: how service and Keycloak are reached from here.
    """

    access: Access
    connector: tuple[str, str] | None = None
    token: tuple[str, str] | None = None


def look(cluster: Cluster, live: Object, asked: Asked) -> Observed:
    """Everything about one service.

    Args:
        cluster: Where it is.
        live: The service, as the API server has it.
        asked: What to look at, and how.
    """
    subject = Subject.of(live)
    adapter, no_adapter = _adapter(cluster, subject)
    seen, held = _token(cluster, subject, asked)
    access = asked.access
    if access.authority is None and held is not None and held.authorities:
        # Whom the connector trusts.
        access = replace(access, authority=tls.Authority(Path(held.source), held.authorities))
    given = held.token if held is not None else asked.token[0] if asked.token else ""
    observed = Observed(now=datetime.now(UTC), subject=subject, adapter=adapter, no_adapter=no_adapter, token=seen)
    return asyncio.run(ask(observed, access, given))


def _adapter(cluster: Cluster, subject: Subject) -> tuple[Adapter | None, str]:
    """What the pods are told of Keycloak, or why that is not known; neither where they take no tokens."""
    name = f"{subject.name}-keycloak"
    if subject.auth != "Keycloak":
        return None, ""
    try:
        live = reading.config_map(cluster, subject.namespace, name)
        return (Adapter.of(live), "") if live else (None, f"there is no ConfigMap {name}")
    except ClusterError as error:
        return None, reading.as_told(error).what
    except ValueError as error:
        return None, str(error)


def _token(cluster: Cluster, subject: Subject, asked: Asked) -> tuple[Token | None, Held | None]:
    """What stands in the token that was asked for, and what its connector has."""
    if asked.connector is None:
        return (_read(Token(asked.token[1]), asked.token[0]) if asked.token else None), None
    namespace, name = asked.connector
    try:
        held = reading.held_by(cluster, namespace or subject.namespace, name)
    except SensorThingsError as error:
        return Token(f"Connector {name}", unreadable=f"{error.what} ({error.where})", remedy=error.remedy), None
    if held.service != (subject.namespace, subject.name):
        other = "/".join(held.service)
        remedy = f"Ask for that one: sensorthings doctor {held.service[1]} -n {held.service[0]} --connector {name}"
        return Token(held.source, unreadable=f"Connector {name} feeds {other}, not this service", remedy=remedy), None
    return _read(Token(held.source, wanted=held.roles), held.token), held


def _read(seen: Token, text: str) -> Token:
    try:
        return replace(seen, claims=token.read(text))
    except ValueError as error:
        return replace(seen, unreadable=str(error), remedy="Give an access token, as Keycloak's token endpoint does.")


async def ask(observed: Observed, access: Access, given: str = "") -> Observed:
    """Fill in what is asked over the network, with a token where one was read."""
    groups = await asyncio.gather(
        _keycloak(observed, access),
        _http(observed, access),
        _mqtt(observed, access),
        _web_socket(observed, access),
        _with_token(observed, access, given),
    )
    return replace(observed, **{name: value for group in groups for name, value in group.items()})


async def _keycloak(observed: Observed, access: Access) -> dict[str, Any]:
    """Discovery (OpenID Connect Discovery 1.0, section 4), trusting whom the pods trust."""
    adapter = observed.adapter
    if adapter is None:
        return {}
    trusted = tls.Authority(Path(adapter.source), adapter.authorities) if adapter.authorities else None
    as_pods = replace(access, authority=trusted)
    async with as_pods.http(timeout=web.SECONDS) as http:
        url = f"{adapter.issuer}/.well-known/openid-configuration"
        handshake, discovery = await asyncio.gather(_handshake(url, as_pods), web.get(http, as_pods, url))
    return {"keycloak": handshake, "discovery": discovery}


async def _http(observed: Observed, access: Access) -> dict[str, Any]:
    url = observed.subject.url
    if not url:
        return {}
    async with access.http(timeout=web.SECONDS) as http:
        https, root, read, write = await asyncio.gather(
            _handshake(url, access),
            web.get(http, access, url),
            web.get(http, access, f"{url}/{_A_THING}"),
            web.post_nothing(http, access, f"{url}/Things"),
        )
    return {"https": https, "root": root, "read": read, "write": write}


async def _mqtt(observed: Observed, access: Access) -> dict[str, Any]:
    broker = _broker(observed)
    if broker is None:
        return {}
    talking: list[Coroutine[Any, Any, Any]] = [
        asyncio.to_thread(mqtt.talk, broker, access, topic=_topic(observed.subject)),
        *([web.shake_hands(broker.host, broker.port, access)] if broker.tls else []),
    ]
    said, *handshake = await asyncio.gather(*talking)
    return {"anonymous": said, **({"mqtts": handshake[0]} if handshake else {})}


async def _web_socket(observed: Observed, access: Access) -> dict[str, Any]:
    url = observed.subject.web_socket
    return {"web_socket": await asyncio.to_thread(mqtt.talk, BrokerUrl.parse(url), access)} if url else {}


async def _with_token(observed: Observed, access: Access, given: str) -> dict[str, Any]:
    """The token's way in, by HTTP and by MQTT; not where others could listen."""
    seen, url, broker = observed.token, URL(observed.subject.url), _broker(observed)
    if seen is None or seen.claims is None:
        return {}
    if url.host and not access.is_overheard(url.host, encrypted=url.scheme == "https"):
        async with access.http(timeout=web.SECONDS) as http:
            seen = replace(seen, posted=await web.post_nothing(http, access, f"{url}/Things", given))
    if broker and not access.is_overheard(broker.host, encrypted=broker.tls):
        seen = replace(seen, said=await asyncio.to_thread(mqtt.talk, broker, access, token=given))
    return {"token": seen}


async def _handshake(url: str, access: Access) -> Handshake | None:
    """With the host of a URL; None where it is not one of TLS."""
    address = URL(url)
    if address.scheme != "https" or not address.host or not address.port:
        return None
    return await web.shake_hands(address.host, address.port, access)


def _broker(observed: Observed) -> BrokerUrl | None:
    return BrokerUrl.parse(observed.subject.broker) if observed.subject.broker else None


def _topic(subject: Subject) -> str:
    return f"{URL(subject.url).name}/Observations"
