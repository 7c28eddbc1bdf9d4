"""Reads the Secrets that a service's spec names, by GET in a pass: the operator watches no Secrets."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.desired.metadata import secret_digest
from sensorthings_operator.desired.service import Service


@dataclass(frozen=True)
class SecretsRead:
    """What the Secrets of a service gave."""

    digests: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a Secret can't be used, for people, by its name."""
    credentials: Credentials | None = None


async def read(
    client: KubernetesClient, service: Service, address: DatabaseAddress, known: Mapping[str, dict[str, Any]]
) -> SecretsRead:
    """Read what the database needs; ``known`` holds Secrets that were just read or applied, by name."""
    wanted = {address.credentials_secret: ("username", "password")}
    if address.ca_secret is not None:
        wanted[address.ca_secret] = (*wanted.get(address.ca_secret, ()), "ca.crt")
    data: dict[str, dict[str, str]] = {}
    missing: dict[str, str] = {}
    for name, keys in wanted.items():
        live = known.get(name) or await _get(client, service.namespace, name)
        problem = _problem(name, keys, live)
        if live is None or problem is not None:
            missing[name] = problem or ""
        else:
            data[name] = live["data"]
    digests = {name: secret_digest(service, {k: held[k] for k in wanted[name]}) for name, held in data.items()}
    return SecretsRead(digests, missing, None if missing else _credentials(address, data))


async def _get(client: KubernetesClient, namespace: str, name: str) -> dict[str, Any] | None:
    try:
        return await client.get(SECRETS, namespace, name)
    except NotFoundError:
        return None


def _problem(name: str, keys: tuple[str, ...], live: Mapping[str, Any] | None) -> str | None:
    if live is None:
        return f"Secret {name} does not exist: create it with the keys {', '.join(keys)}"
    lacking = [key for key in keys if not _decoded(live.get("data", {}).get(key, ""))]
    if lacking:
        return f"Secret {name} lacks {', '.join(lacking)}: add what is missing, as UTF-8 text"
    return None


def _credentials(address: DatabaseAddress, data: Mapping[str, Mapping[str, str]]) -> Credentials:
    held = data[address.credentials_secret]
    ca = None if address.ca_secret is None else _decoded(data[address.ca_secret]["ca.crt"])
    return Credentials(_decoded(held["username"]), _decoded(held["password"]), ca)


def _decoded(value: str) -> str:
    """The text of a Secret's value; empty where it is none."""
    try:
        return b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
