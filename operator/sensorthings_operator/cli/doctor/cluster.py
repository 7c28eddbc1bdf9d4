"""Reads the few objects that ``sensorthings doctor`` looks at, with the rights of the kubeconfig's user; GET only."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.connector import KIND as CONNECTOR
from sensorthings_operator.api.connector import PLURAL as CONNECTORS
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.status.cluster import ClusterError
from sensorthings_operator.cli.status.snapshot import Kind
from sensorthings_operator.desired.connector.configuration import CA
from sensorthings_operator.desired.connector.feed import TOKEN, token_secret, workload_name

if TYPE_CHECKING:
    from sensorthings_operator.cli.status.cluster import Cluster
    from sensorthings_operator.cli.status.snapshot import Object

_CONFIG_MAP: Final = Kind("ConfigMap", "v1", "configmaps")
_SECRET: Final = Kind("Secret", "v1", "secrets")
_CONNECTOR: Final = Kind(CONNECTOR, API_VERSION, CONNECTORS)


@dataclass(frozen=True, slots=True)
class Held:
    """What a connector has: its token, whom it trusts, and the roles that its manifest asks for."""

    source: str
    token: str
    authorities: str
    roles: tuple[str, ...]
    service: tuple[str, str]
    """Namespace and name of the service that it feeds."""


def service(cluster: Cluster, namespace: str | None, name: str) -> Object:
    """The service of a name, in one namespace or in any.

    Raises:
        ClusterError: the cluster can't be read.
        SensorThingsError: there is none, or there are several.
    """
    found, scope, _ = cluster.services(namespace, name)
    where = f"namespace {scope}" if scope else "any namespace"
    if not found:
        raise SensorThingsError(
            f"There is no SensorThingsService {name}", where=where, remedy="List them: kubectl get sta -A"
        )
    if len(found) > 1:
        places = ", ".join(sorted(live["metadata"]["namespace"] for live in found))
        raise SensorThingsError(
            f"There are several SensorThingsServices {name}", where=places, remedy="Name its namespace with -n."
        )
    return found[0]


def config_map(cluster: Cluster, namespace: str, name: str) -> Object | None:
    """A ConfigMap; None where it is not there. Raises ClusterError as ``Cluster.find``."""
    return cluster.find(_CONFIG_MAP, namespace, name)


def held_by(cluster: Cluster, namespace: str, name: str) -> Held:
    """What a connector has.

    Raises:
        SensorThingsError: it, or its token, is not there or can't be read; nothing of the token is in it.
    """
    secret_name = token_secret(name)
    try:
        connector = cluster.find(_CONNECTOR, namespace, name)
        secret = cluster.find(_SECRET, namespace, secret_name)
        trusted = cluster.find(_CONFIG_MAP, namespace, workload_name(name))
    except ClusterError as error:
        raise as_told(error, or_else="Or give the token with --token-file.") from error
    if connector is None:
        raise SensorThingsError(
            f"There is no Connector {name}", where=f"namespace {namespace}", remedy="List them: kubectl get connectors"
        )
    token = _decoded(secret, TOKEN)
    if not token:
        raise SensorThingsError(
            f"Secret {secret_name} is not there, or holds no {TOKEN}",
            where=f"namespace {namespace}",
            remedy=f"The token service writes it: see the Connector's conditions (kubectl describe connector {name}).",
        )
    spec = connector["spec"]
    to = spec["serviceRef"]
    return Held(
        source=f"Secret {secret_name}",
        token=token,
        authorities=((trusted or {}).get("data") or {}).get(CA, ""),
        roles=tuple(spec.get("roles", ())),
        service=(to.get("namespace") or namespace, to["name"]),
    )


def as_told(error: ClusterError, *, or_else: str = "") -> SensorThingsError:
    """The parts of an error of the cluster, which are the lines of its message; and what else can be done."""
    what, where, *remedy = str(error).split("\n  ")
    return SensorThingsError(what, where=where.removeprefix("at "), remedy=" ".join((*remedy, or_else)).strip())


def _decoded(secret: dict[str, Any] | None, key: str) -> str:
    try:
        return base64.b64decode(((secret or {}).get("data") or {}).get(key, "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
