"""A manifest of each kind that is right and uses most of what there is; tests make theirs from it by merge patches."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

Manifest = dict[str, Any]

SERVICE: Final[Manifest] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "SensorThingsService",
    "metadata": {"name": "traffic-lights"},
    "spec": {
        "host": "iot.hamburg.example",
        "version": "2.0.0",
        "http": {
            "autoscaling": {"minReplicas": 2, "maxReplicas": 10},
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": 2147483648}},
            "settings": {"defaultTop": "100", "plugins.openApi.enable": "true"},
        },
        "mqtt": {"replicas": 2},
        "database": {
            "type": "External",
            "external": {
                "primary": {"host": "db-0.city.internal"},
                "replicas": [{"host": "db-1.city.internal", "port": 5433}],
                "credentialsSecretRef": {"name": "traffic-lights-db"},
                "tls": {"caSecretRef": {"name": "db-ca"}},
            },
        },
        "exposure": {"type": "IngressNginx", "ingressNginx": {"mqttPort": 8884}},
        "certificate": {"issuerRef": {"name": "letsencrypt"}},
        "auth": {"type": "Keycloak", "keycloak": {"realm": "city"}},
        "catalogue": {
            "title": {"de": "Verkehrsampeln", "en": "Traffic lights"},
            "description": {"de": "Was die Ampeln zeigen"},
            "publisher": {"name": "Freie und Hansestadt Hamburg", "homepage": "https://www.hamburg.example"},
            "contact": {"mail": "daten@hamburg.example"},
            "licence": {"id": "dl-by-de/2.0", "attribution": "Freie und Hansestadt Hamburg"},
            "contributorID": "transparenzportalHamburg",
            "themes": ["TRAN"],
            "politicalGeocoding": {"level": "state", "key": "02"},
            "spatial": {"west": 8.1, "south": 53, "east": 10.4, "north": 54.1},
            "inspire": {
                "theme": "tn",
                "domain": "de.hh",
                "origin": {"category": "NUTS", "code": "DE600", "source": "LSA"},
            },
            "datasets": [{"serviceName": "HH_STA_traffic_lights", "layers": [{"layerName": "primary_signal"}]}],
        },
        "portal": {
            "title": "Verkehrsampeln",
            "serviceName": "HH_STA_traffic_lights",
            "layerName": "primary_signal",
            "styles": [{"result": "1", "colour": "#f0483e", "label": "Rot"}],
            "background": {"url": "https://tiles.hamburg.example/{z}/{x}/{y}.png", "attribution": "Hamburg"},
        },
        "imagePullSecrets": [{"name": "registry"}],
    },
}
SMALL_SERVICE: Final[Manifest] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "SensorThingsService",
    "metadata": {"name": "air"},
    "spec": {
        "version": "2.0.0",
        "database": {"type": "Managed"},
        "exposure": {"type": "None"},
        "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
    },
}
CONNECTOR: Final[Manifest] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "Connector",
    "metadata": {"name": "loader"},
    "spec": {
        "serviceRef": {"name": "traffic-lights"},
        "container": {
            "image": "localhost/loader:1",
            "env": [
                {"name": "CITY", "value": "Hamburg"},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "upstream", "key": "key"}}},
            ],
        },
        "schedule": "*/5 * * * *",
    },
}


def patched(manifest: Any, patch: Any) -> Any:
    """A copy of a manifest under a merge patch in which null is a value like others."""
    if not isinstance(patch, Mapping):
        return deepcopy(patch)
    target = deepcopy(manifest) if isinstance(manifest, dict) else {}
    for key, value in patch.items():
        target[key] = patched(target.get(key), value)
    return target
