"""Reads the Secrets that a service's spec names, by GET in a pass: the operator watches no Secrets."""

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.desired import basic, buscertificates
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.desired.database import credentials, pgbackrest
from sensorthings_operator.desired.metadata import secret_digest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe.passwords import unusable

MOMENT_SECONDS: Final = 2.0
"""How long what a Secret held is taken for what it holds; a pass that did so is followed by one that reads it."""
_BINARY: Final = (buscertificates.CLIENT_KEYSTORE, buscertificates.TRUSTSTORE)


@dataclass(frozen=True)
class SecretsRead:
    """What the Secrets of a service gave."""

    digests: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a Secret can't be used, for people, by its name."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of users, by their names."""
    missing_passwords: Mapping[str, str] = field(default_factory=dict)
    """Why a user has none, for people, by the user's name."""
    missing_for_backups: Mapping[str, str] = field(default_factory=dict)
    """Why a Secret for backups can't be used, for people, by its name: nothing else waits for these."""
    credentials: Credentials | None = None
    look_again: float | None = None
    """Seconds after which to read them, where they were read a moment ago and not now."""


class SecretReader:
    """Reads Secrets for passes, which come in quick succession while a service changes: each not twice in a moment."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._just_read: dict[tuple[str, str], dict[str, Any]] = {}

    async def read(
        self, service: Service, address: DatabaseAddress, known: Mapping[str, dict[str, Any]]
    ) -> SecretsRead:
        """What the database, the bus and users need; ``known`` holds Secrets that were just read or applied, by name.

        Raises:
            ApiError: The API server could not be asked.
        """
        wanted: dict[str, tuple[str, ...]] = {address.credentials_secret: ("username", "password")}
        if address.ca_secret is not None:
            wanted[address.ca_secret] = (*wanted.get(address.ca_secret, ()), "ca.crt")
        own = credentials.read_by_pods(service)
        if buscertificates.is_wanted(service):
            own[buscertificates.secret_name(service)] = buscertificates.MOUNTED
        wanted |= own
        data: dict[str, dict[str, str]] = {}
        missing: dict[str, str] = {}
        remembered = False
        for name, keys in wanted.items():
            live, just_read = await self._look(service.namespace, name, known)
            remembered = remembered or just_read
            problem = _problem(name, keys, live, ours=name in own)
            if live is None or problem is not None:
                missing[name] = problem or ""
                self._just_read.pop((service.namespace, name), None)
            else:
                data[name] = live["data"]
        digests = {name: secret_digest(service, {k: held[k] for k in wanted[name]}) for name, held in data.items()}
        owner = _credentials(address, data) if address.secrets <= data.keys() else None
        passwords, without, just_read = await self._passwords(service, known)
        for_backups, just_read_for_backups = await self._for_backups(service, known)
        look_again = MOMENT_SECONDS if remembered or just_read or just_read_for_backups else None
        return SecretsRead(digests, missing, passwords, without, for_backups, owner, look_again)

    async def _for_backups(self, service: Service, known: Mapping[str, dict[str, Any]]) -> tuple[dict[str, str], bool]:
        """Which Secrets of a store can't be used, and whether any was read a moment ago."""
        found: dict[str, str] = {}
        remembered = False
        for name, keys in pgbackrest.secrets(service).items():
            live, just_read = await self._look(service.namespace, name, known)
            remembered = remembered or just_read
            problem = _problem(name, keys, live, ours=False)
            if problem is not None:
                found[name] = problem
                self._just_read.pop((service.namespace, name), None)
        return found, remembered

    async def _passwords(
        self, service: Service, known: Mapping[str, dict[str, Any]]
    ) -> tuple[dict[str, str], dict[str, str], bool]:
        """Those of users, why somebody has none, and whether any is of a moment ago."""
        accounts = basic.accounts(service)
        names = sorted({account.secret for account in accounts})
        found = await asyncio.gather(*(self._look(service.namespace, name, known) for name in names))
        held = {name: live for name, (live, _) in zip(names, found, strict=True)}
        passwords: dict[str, str] = {}
        without: dict[str, str] = {}
        for account in accounts:
            live = held[account.secret]
            password = _decoded(((live or {}).get("data") or {}).get(account.key, ""))
            ours = account.secret == basic.delivery_secret_name(service)
            problem = _problem(account.secret, (account.key,), live, ours=ours) or unusable(account, password)
            if problem is None:
                passwords[account.name] = password
            else:
                without[account.name] = problem
                self._just_read.pop((service.namespace, account.secret), None)
        return passwords, without, any(just_read for _, just_read in found)

    async def _look(
        self, namespace: str, name: str, known: Mapping[str, dict[str, Any]]
    ) -> tuple[dict[str, Any] | None, bool]:
        """A Secret, and whether that is what it held a moment ago."""
        if name in known:
            return known[name], False
        just_read = self._just_read.get((namespace, name))
        if just_read is not None:
            return just_read, True
        return await self._get(namespace, name), False

    async def _get(self, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            live = await self._client.get(SECRETS, namespace, name)
        except NotFoundError:
            return None
        self._just_read[namespace, name] = live
        asyncio.get_running_loop().call_later(MOMENT_SECONDS, self._just_read.pop, (namespace, name), None)
        return live


def _problem(name: str, keys: tuple[str, ...], live: Mapping[str, Any] | None, *, ours: bool) -> str | None:
    if live is None and ours:
        return f"Secret {name} is not there yet: the operator makes it, unless spec.paused is true"
    if live is None:
        return f"Secret {name} does not exist: create it with the keys {', '.join(keys)}"
    data = live.get("data", {})
    lacking = [key for key in keys if not (data.get(key) if key in _BINARY else _decoded(data.get(key, "")))]
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
