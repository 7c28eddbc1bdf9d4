"""What people get wrong, and what breaks around a service: each shows as a condition, and heals once mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients import subscribers
from tests.e2e.databases import ExternalDatabase
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service


@pytest.fixture
def database(kubernetes: Kubernetes, service: Service) -> Iterator[ExternalDatabase]:
    """It runs, with a role ``city`` and no database."""
    made = ExternalDatabase(kubernetes, f"{service.namespace}-db")
    made.scale(1)
    made.sql("create role city login password 'right'")
    yield made
    kubernetes.run("delete", "namespace", made.namespace, "--wait=false")


def test_each_trouble_with_a_database_shows_and_heals(service: Service, database: ExternalDatabase) -> None:
    def secret(password: str) -> None:
        data = {"username": "city", "password": password}
        metadata = {"name": "credentials", "namespace": service.namespace}
        service.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})

    def shows(reason: str, *words: str) -> None:
        message = service.await_condition("DatabaseReachable", "False", reason, 60)
        assert not [word for word in words if word not in message], message
        assert service.condition("Ready")["status"] == "False"

    host = f"postgresql.{database.namespace}.svc.cluster.local"
    external = {
        "primary": {"host": host},
        "name": "city",
        "credentialsSecretRef": {"name": "credentials"},
        "tls": {"mode": "disable"},
    }
    service.apply(database={"type": "External", "external": external})
    shows("SecretUnusable", "credentials")
    secret("wrong")
    shows("CredentialsRefused", host, "credentials")
    secret("right")
    shows("DatabaseMissing", host, "city")
    database.sql("create database city owner city")
    shows("PostGISMissing", "create extension")
    database.sql("create extension postgis", "city")
    service.await_ready()
    assert service.condition("Stalled")["status"] == "False"
    datastream = service.http().create_datastream()
    database.scale(0)
    shows("DatabaseUnreachable", host)
    eventually("no HTTP pod is ready", lambda: not service.ready_pods("http"))
    database.scale(1)
    service.await_ready()
    with subscribers(service.subscriber(datastream)) as (subscriber,):
        assert service.http().observe(datastream, 1).status == 201
        subscriber.await_results({1})


def test_an_image_that_cannot_be_pulled_shows_and_heals(service: Service) -> None:
    # The images of this version are in no registry that the node could reach.
    service.apply(version="2.8.0")

    def told() -> str | None:
        seen = service.condition("SchemaUpToDate")
        return seen["message"] if seen.get("reason") in ("ErrImagePull", "ImagePullBackOff") else None

    assert "2.8.0" in eventually("SchemaUpToDate tells of the image", told)
    assert service.condition("Ready")["status"] == "False"
    service.patch(version="2.0.0")
    service.await_ready()
    eventually("the Job of the other version is gone", lambda: len(_jobs(service)) == 1)
    assert service.http().get("Things").status == 200


def _jobs(service: Service) -> list[str]:
    return service.kubectl("get", "jobs", "--output=name").split()
