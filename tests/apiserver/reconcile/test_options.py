"""Switching any option on and off again ends in the same objects, owned alike, as never having had it.

Every field of the spec, as the CRD has it, is in a flip here or has a reason why it is in none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensorthings_operator.api import crd
from sensorthings_operator.clients.owned import APPLIED_HASH_ANNOTATION
from sensorthings_operator.desired.metadata import CERTIFICATES_HASH_ANNOTATION, FIELD_MANAGER
from tests.apiserver.reconcile.end_state import differences, end_state
from tests.apiserver.reconcile.waiting import eventually
from tests.apiserver.reconcile.walk import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.apiserver.reconcile.walk import Walk

Patch = dict[str, Any]
_READY: Final = ("Ready", "True", "ServiceReady")
_OTHER_SECRETS: Final = {
    "other-credentials": {"username": "frost", "password": "another horse"},
    "database-ca": {"ca.crt": "of the database"},
    "users": {"a": "a horse", "b": "a battery"},
}
_CERTIFIED: Final[Patch] = {
    "host": "air.city.example",
    "certificate": {"issuerRef": {"kind": "Issuer", "name": "city"}},
}
_RESOURCES: Final = {"requests": {"cpu": "300m", "memory": "1Gi"}, "limits": {"cpu": "2"}}
_SCALING: Final = {
    "minReplicas": 2,
    "maxReplicas": 4,
    "targetCPUUtilizationPercentage": 50,
    "scaleUpTolerancePercentage": 5,
}


@dataclass(frozen=True)
class Flip:
    """Options that are switched on together."""

    on: Patch
    seen: tuple[str, str, str] = _READY
    """The condition by which it shows: without the add-ons that it needs, a service gets no further."""


_FLIPS: Final = {
    "two pods": Flip({"http": {"replicas": 2}, "mqtt": {"replicas": 2}}),
    "no pods": Flip(
        {"http": {"replicas": 0}, "mqtt": {"replicas": 0}}, seen=("MQTTAvailable", "False", "MQTTScaledToZero")
    ),
    "autoscaling": Flip({"http": {"autoscaling": _SCALING}, "mqtt": {"autoscaling": _SCALING}}),
    "settings, resources and registries": Flip(
        {
            "http": {"resources": _RESOURCES, "settings": {"defaultTop": "50"}},
            "mqtt": {"resources": _RESOURCES, "settings": {"mqtt.SubscribeMessageQueueSize": "5000"}},
            "bus": {"mosquitto": {"resources": _RESOURCES}},
            "imagePullSecrets": [{"name": "registry"}],
        }
    ),
    "publishing by MQTT": Flip({"mqtt": {"publishing": {"enabled": True, "perSecond": 5, "burst": 6}}}),
    "bus elsewhere": Flip(
        {"bus": {"type": "External", "external": {"host": "bus.city.example", "port": 8883, "tls": True}}}
    ),
    "volume of the bus is kept": Flip({"bus": {"mosquitto": {"storage": {"whenDeleted": "Retain"}}}}),
    "path, unused host, and a connector that is let in": Flip(
        {"rootPath": "/air", "host": "air.city.example", "allowedConnectors": [{"namespace": "bikes"}]}
    ),
    "version with metrics": Flip({"version": "2.8.0", "monitoring": {"podMonitor": True, "verifyDelivery": False}}),
    "another database": Flip(
        {
            "database": {
                "maxStandbyLagSeconds": 60,
                "external": {
                    "primary": {"host": "other.city.example", "port": 5433},
                    "replicas": [{"host": "third.city.example"}],
                    "name": "air",
                    "credentialsSecretRef": {"name": "other-credentials"},
                },
            }
        }
    ),
    "encrypted database": Flip(
        {"database": {"external": {"tls": {"mode": "verify-full", "caSecretRef": {"name": "database-ca"}}}}}
    ),
    "certificate": Flip(_CERTIFIED, seen=("CertificateReady", "False", "CertManagerMissing")),
    "ingress-nginx": Flip(
        {
            **_CERTIFIED,
            "exposure": {
                "type": "IngressNginx",
                "ingressNginx": {"className": "public", "mqttPort": 8885, "webSocketPath": "/air.mqtt"},
            },
        },
        seen=("RoutesProgrammed", "False", "TCPServicesMissing"),
    ),
    "gateway": Flip(
        {
            **_CERTIFIED,
            "exposure": {
                "type": "Gateway",
                "gateway": {
                    "name": "city",
                    "namespace": "gateways",
                    "listeners": "Gateway",
                    "httpPort": 8080,
                    "httpsPort": 8443,
                    "mqttPort": 8884,
                    "mqttTLS": "Terminate",
                    "webSocketPath": "/air.mqtt",
                    "envoyGateway": {
                        "idleTimeoutSeconds": 3600,
                        "requestsPerMinute": 600,
                        "requestsPerMinutePerToken": 60,
                    },
                },
            },
        },
        seen=("CertificateReady", "False", "CertManagerMissing"),
    ),
    "gateway of its own": Flip(
        {**_CERTIFIED, "exposure": {"type": "Gateway", "gateway": {"className": "envoy"}}},
        seen=("CertificateReady", "False", "CertManagerMissing"),
    ),
    "reads from replicas": Flip(
        {
            **_CERTIFIED,
            "http": {"readReplicas": 2},
            "database": {"external": {"replicas": [{"host": "third.city.example"}]}},
            "exposure": {"type": "Gateway", "gateway": {"name": "city"}},
        },
        seen=("CertificateReady", "False", "CertManagerMissing"),
    ),
    "keycloak": Flip(
        {"auth": {"type": "Keycloak", "anonymousRead": False, "keycloak": {"realm": "city"}, "none": None}},
        seen=("AuthConfigured", "False", "UnknownRealm"),
    ),
    "basic": Flip(
        {
            "auth": {
                "type": "Basic",
                "basic": {
                    "users": [
                        {
                            "name": "gateway",
                            "roles": ["create"],
                            "passwordSecretRef": {"name": "users", "key": "a"},
                        },
                        {"name": "office", "passwordSecretRef": {"name": "users", "key": "b"}},
                    ]
                },
                "none": None,
            }
        }
    ),
    "catalogue": Flip(
        {
            **_CERTIFIED,
            "exposure": {"type": "IngressNginx"},
            "catalogue": {
                "title": {"de": "Luft", "en": "Air"},
                "description": {"de": "Messwerte der Luft", "en": "Values of the air"},
                "publisher": {
                    "name": "Amt für Luft",
                    "homepage": "https://air.city.example",
                    "mail": "daten@city.example",
                    "type": "RegionalAuthority",
                },
                "contact": {
                    "name": "Datenstelle",
                    "mail": "daten@city.example",
                    "homepage": "https://air.city.example/contact",
                    "phone": "+49401234567",
                },
                "licence": {"id": "dl-by-de/2.0", "attribution": "Amt für Luft"},
                "contributorID": "govData",
                "themes": ["ENVI"],
                "politicalGeocoding": {"level": "state", "key": "06"},
                "spatial": {"west": 8.1, "south": 49, "east": 10.2, "north": 51.5},
                "language": "en",
                "accrualPeriodicity": "DAILY",
                "keywords": ["Luft"],
                "landingPage": "https://air.city.example/data",
                "csw": "https://catalogue.city.example/csw",
                "endpoint": {"path": "/open", "resources": _RESOURCES},
                "targets": [
                    {
                        "name": "city",
                        "type": "CKAN",
                        "ckan": {
                            "url": "https://opendata.city.example",
                            "organization": "air",
                            "credentialsSecretRef": {"name": "ckan-token"},
                            "namePrefix": "air",
                        },
                    }
                ],
                "recordId": "7f3c0000-0000-4000-8000-000000000001",
                "inspire": {
                    "theme": "ef",
                    "domain": "de.he",
                    "origin": {"category": "NUTS", "code": "DE71", "source": "air"},
                },
                "datasets": [
                    {
                        "serviceName": "air",
                        "unlisted": "Leave",
                        "layers": [{"layerName": "no2", "title": {"de": "Stickstoffdioxid"}}],
                    }
                ],
            },
        },
        seen=("CatalogueSynced", "Unknown", "DataNotAsked"),
    ),
    "live map": Flip(
        {
            **_CERTIFIED,
            "exposure": {"type": "IngressNginx"},
            "portal": {
                "path": "/air/map",
                "title": "Air",
                "serviceName": "air",
                "layerName": "no2",
                "styles": [{"result": "1", "colour": "#2fd17a", "label": "good"}],
                "followLocations": True,
                "background": {
                    "url": "https://tiles.city.example/{z}/{x}/{y}.png",
                    "attribution": "The city",
                    "maxZoom": 18,
                },
                "replicas": 2,
                "resources": _RESOURCES,
            },
        },
        seen=("CertificateReady", "False", "CertManagerMissing"),
    ),
    "paused": Flip({"paused": True}, seen=("Reconciling", "False", "Paused")),
    "hibernated": Flip({"hibernated": True}, seen=("Ready", "False", "Hibernated")),
    "deletion policy": Flip({"deletionPolicy": "Orphan"}),
}
_FROM_AS_MANY_PODS: Final = Flip({"http": {"autoscaling": {"minReplicas": 1, "maxReplicas": 2}}})
_OF_A_MANAGED_DATABASE: Final = Flip(
    {"database": {"managed": {"storage": {"whenDeleted": "Delete"}, "resources": _RESOURCES}}}
)
_BACKUP: Final[Patch] = {
    "schedule": "0 2 * * *",
    "fullEveryDays": 14,
    "retention": {"days": 30},
    "resources": _RESOURCES,
    "drill": {"enabled": False, "schedule": "0 3 1 * *"},
}
_WITH_BACKUPS: Final = {
    "on a volume": Flip(
        {
            "database": {
                "managed": {"backup": {**_BACKUP, "storage": {"volume": {"size": "2Gi", "whenDeleted": "Delete"}}}}
            }
        }
    ),
    "in a bucket": Flip(
        {
            "database": {
                "managed": {
                    "backup": {
                        **_BACKUP,
                        "storage": {
                            "s3": {
                                "endpoint": "https://s3.city.example:9000",
                                "bucket": "backups",
                                "region": "eu-central-1",
                                "prefix": "/air",
                                "virtualHosts": True,
                                "credentialsSecretRef": {"name": "s3"},
                                "caSecretRef": {"name": "s3-ca"},
                            }
                        },
                    }
                }
            }
        }
    ),
}
_OF_A_PAIR: Final = Flip({"database": {"managed": {"instances": 3}}})
_NEVER_FLIPPED: Final = {
    "auth.none.allowAnonymousWrite": "it can be true only; the flips of auth.type take it away and bring it back",
    "bus.mosquitto.storage.size": "a volume can't be changed after it was made: the API server refuses",
    "bus.mosquitto.storage.storageClassName": "as the size",
    "database.managed.backup.storage.volume.storageClassName": "as that of the bus",
    "database.managed.restore.name": "what it makes is kept: test_backup.py",
    "database.managed.restore.source": "as its name",
    "database.managed.restore.to": "as its name",
    "database.managed.serving": "as restore.name",
    "database.managed.storage.size": "as that of the bus",
    "database.managed.storage.storageClassName": "as that of the bus",
    "database.type": "it can't be changed: the data would stay behind; the API server refuses",
}


def _paths(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Fields of a schema that have no fields themselves."""
    if "properties" not in schema:
        yield path
    for name, field in schema.get("properties", {}).items():
        yield from _paths(field, f"{path}.{name}" if path else name)


def _flipped(patch: Any, fields: set[str], path: str = "") -> Iterator[str]:
    """Fields that a patch sets or takes away."""
    if path in fields:
        yield path
    elif isinstance(patch, dict):
        for name, member in patch.items():
            yield from _flipped(member, fields, f"{path}.{name}" if path else name)


def test_no_field_of_the_spec_is_forgotten() -> None:
    fields = set(_paths(crd.schema(crd.SERVICE)["properties"]["spec"]))
    assert {"paused", "bus.external.tls", "http.autoscaling.targetCPUUtilizationPercentage"} <= fields
    flips = [*_FLIPS.values(), _OF_A_MANAGED_DATABASE, _OF_A_PAIR, *_WITH_BACKUPS.values()]
    flipped = {path for flip in flips for path in _flipped(flip.on, fields)}
    assert fields - flipped == set(_NEVER_FLIPPED), "neither flipped nor with a reason, or both"


def _back(patch: Patch, spec: Mapping[str, Any]) -> Patch:
    """The merge patch that undoes another one; what was not given is not given again."""
    return {
        name: _back(member, spec[name])
        if isinstance(member, dict) and isinstance(spec.get(name), dict)
        else spec.get(name)
        for name, member in patch.items()
    }


def _state(walk: Walk) -> dict[str, Any]:
    """What the children say, what was sent for them, and which of their fields are the operator's."""
    owners = {**walk.cluster.children(), ("SensorThingsService", NAME): walk.service()}
    hashes = {f"{kind}/{name}": _hash(live) for (kind, name), live in walk.cluster.children().items()}
    ours = {f"{kind}/{name}": _ours(live) for (kind, name), live in owners.items()}
    return {**end_state(walk), "spec": walk.service()["spec"], "sent": hashes, "ours": ours}


def _hash(live: Mapping[str, Any]) -> str:
    """Of what was sent; of pods that read the bus's certificates it is another one with each bus."""
    template = live.get("spec", {}).get("template", {}).get("metadata", {})
    if CERTIFICATES_HASH_ANNOTATION in template.get("annotations", {}):
        return "with certificates"
    return str(live["metadata"].get("annotations", {}).get(APPLIED_HASH_ANNOTATION, ""))


def _ours(live: Mapping[str, Any]) -> dict[str, Any]:
    entries = live["metadata"]["managedFields"]
    return {
        f"{entry['manager']} {entry['operation']} {entry.get('subresource', '')}": entry["fieldsV1"]
        for entry in entries
        if entry["manager"].startswith(FIELD_MANAGER)
    }


def _settles(walk: Walk, seen: tuple[str, str, str]) -> None:
    if seen == _READY:
        walk.becomes_ready()
    else:
        walk.becomes(*seen)
    walk.settle()


def _flip_and_back(walk: Walk, given: Mapping[str, Any], flip: Flip) -> None:
    before = _state(walk)
    walk.change(flip.on)
    _settles(walk, flip.seen)
    assert walk.service()["spec"] != before["spec"], "it was on"

    walk.change(_back(flip.on, given))
    _settles(walk, _READY)

    def check() -> None:
        assert differences(before, _state(walk)) == []

    eventually(check, seconds=8)


@pytest.fixture(scope="module")
def city(module_walk: Walk) -> Walk:
    """Where the Secrets are that flips name."""
    for name, data in _OTHER_SECRETS.items():
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
        module_walk.cluster.create(secret)
    return module_walk


@pytest.fixture
def settled(city: Walk) -> Iterator[Walk]:
    """One service for all flips that leave it as it was, and a new one after each that does not."""
    if city.cluster.get("SensorThingsService", NAME) is None:
        city.external()
        _settles(city, _READY)
    before = _state(city)
    yield city
    if differences(before, _state(city)):
        city.end()
        eventually(lambda: _is_empty(city))


def _is_empty(walk: Walk) -> None:
    assert walk.cluster.children() == {}


@pytest.mark.parametrize("name", _FLIPS)
def test_on_and_off_again_is_as_if_it_had_never_been(settled: Walk, name: str) -> None:
    _flip_and_back(settled, settled.external_manifest()["spec"], _FLIPS[name])


def test_so_it_is_where_the_number_of_pods_never_changed(settled: Walk) -> None:
    _flip_and_back(settled, settled.external_manifest()["spec"], _FROM_AS_MANY_PODS)


def test_so_it_is_with_those_of_a_managed_database(walk: Walk) -> None:
    walk.managed()
    _settles(walk, _READY)
    _flip_and_back(walk, {"database": {"type": "Managed"}}, _OF_A_MANAGED_DATABASE)


@pytest.mark.parametrize("name", _WITH_BACKUPS)
def test_so_it_is_with_backups(walk: Walk, name: str) -> None:
    """But for the certificates' Secret, which goes with the service."""
    given: Patch = {"database": {"type": "Managed", "managed": {"instances": 1}}}
    walk.managed(given)
    _settles(walk, _READY)
    _flip_and_back(walk, given, _WITH_BACKUPS[name])


def test_so_it_is_with_those_of_a_pair(walk: Walk) -> None:
    """How one instance becomes two, and that two never become one, is in test_pair.py."""
    given: Patch = {"database": {"type": "Managed", "managed": {"instances": 2}}}
    walk.managed(given)
    _settles(walk, _READY)
    _flip_and_back(walk, given, _OF_A_PAIR)
