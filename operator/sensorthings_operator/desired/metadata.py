"""Names, labels and ownership of everything that is made for a service. Used by every builder.

Labels that select pods never change with a version: a Service that selects by version drops every pod on upgrade.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from sensorthings_operator.api.base import API_VERSION, GROUP
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.desired.service import Service

FIELD_MANAGER: Final = "sensorthings-operator"
REPLICAS_FIELD_MANAGER: Final = f"{FIELD_MANAGER}-replicas"
"""Owns the number of pods between us, who apply it no more, and an autoscaler that did not change it yet."""
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
SERVICE_LABEL: Final = f"{GROUP}/service"
DATABASE_LABEL: Final = f"{GROUP}/database"
"""On the pods of a pair of managed databases, and on what they share: by it they find each other."""
ROLE_LABEL: Final = f"{GROUP}/role"
"""On the same pods, written by Patroni: whether one is the primary or a standby."""
CONNECTOR_LABEL: Final = f"{GROUP}/connector"
MANAGED_SELECTOR: Final = f"{MANAGED_BY_LABEL}={FIELD_MANAGER},!{CONNECTOR_LABEL}"
"""Label selector of all that the operator makes for services."""
CONNECTOR_SELECTOR: Final = f"{MANAGED_BY_LABEL}={FIELD_MANAGER},{CONNECTOR_LABEL}"
"""Label selector of all that the operator makes for connectors."""
CREDENTIALS_HASH_ANNOTATION: Final = f"{GROUP}/credentials-hash"
CONFIGURATION_HASH_ANNOTATION: Final = f"{GROUP}/configuration-hash"
CERTIFICATES_HASH_ANNOTATION: Final = f"{GROUP}/bus-certificates-hash"
GENERATED_KEYS_ANNOTATION: Final = f"{GROUP}/generated-keys"
"""On a Secret: keys, separated by commas, whose values are drawn at random where they are missing."""

DATABASE_CERTIFICATES_HASH_ANNOTATION: Final = f"{GROUP}/database-certificates-hash"
CERTIFICATE_HOSTS_ANNOTATION: Final = f"{GROUP}/certificate-hosts"
"""On a Secret: DNS names, separated by commas, for which certificates are issued into it."""

Manifest = dict[str, Any]


def selector(service: Service, component: str) -> dict[str, str]:
    """The labels that select the pods of one part of one service."""
    return {SERVICE_LABEL: service.name, COMPONENT_LABEL: component}


def labels(service: Service, component: str) -> dict[str, str]:
    """The labels of every object of one part of one service."""
    return {
        "app.kubernetes.io/name": "sensorthings",
        "app.kubernetes.io/instance": service.name,
        "app.kubernetes.io/part-of": "sensorthings",
        MANAGED_BY_LABEL: FIELD_MANAGER,
        **selector(service, component),
    }


def metadata(service: Service, component: str, name: str) -> Manifest:
    """Metadata of a child: its labels, and the service as its controller."""
    return {
        "name": name,
        "namespace": service.namespace,
        "labels": labels(service, component),
        "ownerReferences": [controller(KIND, service.name, service.uid)],
    }


def controller(kind: str, name: str, uid: str) -> Manifest:
    """The owner reference of what is made for a custom resource: it goes with it."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def digest(value: object, *, length: int = 10) -> str:
    """A short hash, the same for the same content whatever the order of keys. ``length`` in hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:length]


def secret_digest(service: Service, data: Mapping[str, str]) -> str:
    """A hash of a Secret's ``data`` that differs between services: pods roll when it changes."""
    return digest({"uid": service.uid, "data": dict(data)}, length=16)
