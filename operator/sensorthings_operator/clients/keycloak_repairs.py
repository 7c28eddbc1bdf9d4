"""Puts a client in Keycloak right where it is not as it should be, and says what was not. Used by ``keycloak``.

Each function raises KeycloakError where the realm could not be asked, or refused.
"""

from collections.abc import Mapping
from typing import Any

from sensorthings_operator.clients.keycloak_realm import RealmApi
from sensorthings_operator.desired.keycloak import ROLE_MAPPER, RealmClient

Live = dict[str, Any]
"""A ClientRepresentation. It holds the client's secret: never to be printed."""


async def repair_settings(api: RealmApi, wanted: RealmClient, live: Live) -> list[str]:
    """Put settings right; the names of those that were not."""
    changed = drift(wanted.representation, live)
    if changed:
        # Keycloak leaves alone what is not named.
        await api.call("PUT", f"clients/{live['id']}", body=changed)
    return list(changed)


async def repair_attributes(api: RealmApi, wanted: RealmClient, live: Live) -> list[str]:
    """Put attributes right; others are left alone."""
    changed = drift(wanted.attributes, live["attributes"])
    if changed:
        await api.call("PUT", f"clients/{live['id']}", body={"attributes": changed})
    return [f"the attribute {name}" for name in changed]


async def repair_mappers(api: RealmApi, wanted: RealmClient, live: Live) -> list[str]:
    """Put protocol mappers right; others are left alone, unless they give roles."""
    path = f"clients/{live['id']}/protocol-mappers/models"
    there = {mapper["name"]: mapper for mapper in live.get("protocolMappers", ())}
    changed = []
    for name, (kind, config) in wanted.mappers.items():
        mapper = {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": dict(config)}
        found = there.get(name)
        if found is None:
            await api.call("POST", path, body=mapper)
        elif found["protocolMapper"] != kind or drift(config, found["config"]):
            await api.call("PUT", f"{path}/{found['id']}", body={**mapper, "id": found["id"]})
        else:
            continue
        changed.append(f"the mapper {name}")
    if wanted.mappers:
        for name, found in there.items():
            # Whoever adds one gives the client rights.
            if name not in wanted.mappers and found["protocolMapper"] == ROLE_MAPPER:
                await api.call("DELETE", f"{path}/{found['id']}")
                changed.append(f"the mapper {name}, which is gone now,")
    return changed


def drift(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Of the fields that are wanted those that are not so."""
    return {name: value for name, value in wanted.items() if live.get(name) != value}
