"""After everything else: no token, password, client secret or key stands in a log, an Event, a status or a metric."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest

from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubernetes import Kubernetes

_NAMESPACE: Final = "hamburg"
_PUBLIC: Final = ("ca.crt", "tls.crt", "username", "client-id", "server.crt", "client.crt", "truststore.p12")
"""Keys of Secrets whose values everybody may see."""
_SHORTEST: Final = 12
"""Characters of a value that is looked for: shorter ones stand in anything."""
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
_OURS: Final = ("sensorthingsservices", "connectors")


@pytest.fixture
def planted(city: Kubernetes) -> Iterator[str]:
    """A mark in a Secret that a Connector and a service name, both of which fail over it."""
    mark = f"planted-{uuid4().hex}"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "planted", "namespace": _NAMESPACE}}
    connector = {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "Connector",
        "metadata": {"name": "planted", "namespace": _NAMESPACE},
        "spec": {
            "serviceRef": {"name": "traffic-lights"},
            "container": {
                "image": "localhost/nowhere:1",
                "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "planted", "key": "password"}}}],
            },
        },
    }
    service = {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        "metadata": {"name": "planted", "namespace": _NAMESPACE},
        "spec": {
            "version": "2.0.0",
            "database": {
                "type": "External",
                "external": {
                    "primary": {"host": f"traffic-lights-db-primary.{_NAMESPACE}.svc.cluster.local"},
                    "credentialsSecretRef": {"name": "planted"},
                    "tls": {"mode": "disable"},
                },
            },
            "exposure": {"type": "None"},
            "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
        },
    }
    city.apply({**secret, "stringData": {"username": "nobody", "password": mark}}, connector, service)
    yield mark
    for kind in ("connector", "sensorthingsservice", "secret"):
        city.run("delete", kind, "planted", "-n", _NAMESPACE, "--wait=false")


def _secrets(city: Kubernetes) -> set[str]:
    """The values of all Secrets that nobody else may see, each line by itself where there are some."""
    found = set[str]()
    for secret in city.items("/api/v1/secrets"):
        if secret["type"] == "helm.sh/release.v1":
            continue
        for key, value in (secret.get("data") or {}).items():
            if not key.endswith(_PUBLIC):
                found |= set(b64decode(value).decode(errors="ignore").splitlines())
    return {line for line in found if len(line) >= _SHORTEST and not line.startswith("-----")}


def _said(city: Kubernetes) -> Iterator[tuple[str, str]]:
    """Everything that people and machines read: where, and what."""
    for pod in city.items("/api/v1/pods"):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for previous in ("false", "true"):
            options = ("--all-containers", "--tail=-1", f"--previous={previous}", "--ignore-errors")
            yield f"log of {namespace}/{name}", city.run("logs", "-n", namespace, name, *options, check=False)
    for event in city.items("/apis/events.k8s.io/v1/events"):
        yield f"Event of {event['metadata']['namespace']}", json.dumps(event)
    for plural in _OURS:
        for body in city.items(f"/apis/sensorthings.city/v1alpha1/{plural}"):
            yield f"{plural} {body['metadata']['name']}", json.dumps(body)
    for config_map in city.items("/api/v1/configmaps"):
        yield f"ConfigMap {config_map['metadata']['name']}", json.dumps(config_map.get("data"))
    for pod in city.items("/api/v1/namespaces/sensorthings-system/pods"):
        path = f"/api/v1/namespaces/sensorthings-system/pods/{pod['metadata']['name']}:8080/proxy/metrics"
        yield f"metrics of {pod['metadata']['name']}", city.run("get", "--raw", path)


def _stalled(city: Kubernetes) -> Any:
    path = f"/apis/sensorthings.city/v1alpha1/namespaces/{_NAMESPACE}/sensorthingsservices/planted"
    told = city.get(path).get("status", {}).get("conditions", ())
    return [each for each in told if each["type"] == "DatabaseReachable" and each["reason"] == "CredentialsRefused"]


def test_nothing_that_is_secret_is_told(city: Kubernetes, planted: str) -> None:
    eventually("the planted password is refused", lambda: _stalled(city))
    eventually("there is a token to be looked for", lambda: any(map(_JWT.fullmatch, _secrets(city))))
    secrets = _secrets(city)
    assert planted in secrets
    said = list(_said(city))
    assert len(said) > 50
    assert any("CredentialsRefused" in text for _, text in said), "what is looked through is what is told"
    found = {where for where, text in said for secret in secrets if secret in text}
    assert found == set(), "a value of a Secret"
    assert {where for where, text in said if _JWT.search(text)} == set(), "a token"
