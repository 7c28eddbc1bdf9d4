"""The token service's Secrets on a real API server: written over and over, deleted by hand, and somebody else's."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sensorthings_operator.clients.connection import from_kubeconfig
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.tokenservice.secrets import ForeignSecretError, TokenSecrets
from tests.unit.operator.connecting import connector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sensorthings_operator.desired.connector.feed import Connector
    from tests.apiserver.conftest import Kubectl


@pytest.fixture
async def client(kubeconfig: Path) -> AsyncIterator[KubernetesClient]:
    async with KubernetesClient(from_kubeconfig(kubeconfig)) as client:
        yield client


@pytest.fixture
def loader(namespace: str, kubectl: Kubectl, crds: str) -> Connector:
    """A Connector that is there: what is owned by nobody would be deleted."""
    assert crds is not None
    made = kubectl(
        "create",
        "--filename=-",
        manifest={
            "apiVersion": "sensorthings.city/v1alpha1",
            "kind": "Connector",
            "metadata": {"name": "loader", "namespace": namespace},
            "spec": {"serviceRef": {"name": "air"}, "container": {"image": "localhost/loader:1"}},
        },
    )
    return replace(connector(), namespace=namespace, uid=made["metadata"]["uid"])


async def _token(client: KubernetesClient, loader: Connector) -> str:
    live = await client.get(SECRETS, loader.namespace, loader.token_secret)
    return b64decode(live["data"]["token"]).decode()


async def test_one_that_was_deleted_by_hand_is_written_again(client: KubernetesClient, loader: Connector) -> None:
    secrets = TokenSecrets(client)
    for value in ("a", "b"):
        await secrets.write(loader, loader.token_secret, {"token": value.encode()})
        assert await _token(client, loader) == value
    live = await client.get(SECRETS, loader.namespace, loader.token_secret)
    await client.delete(SECRETS, loader.namespace, loader.token_secret, uid=live["metadata"]["uid"])
    await secrets.write(loader, loader.token_secret, {"token": b"c"})
    assert await _token(client, loader) == "c"


async def test_one_that_somebody_put_in_its_place_is_left_alone(client: KubernetesClient, loader: Connector) -> None:
    secrets = TokenSecrets(client)
    await secrets.write(loader, loader.token_secret, {"token": b"a"})
    live = await client.get(SECRETS, loader.namespace, loader.token_secret)
    await client.delete(SECRETS, loader.namespace, loader.token_secret, uid=live["metadata"]["uid"])
    theirs: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "stringData": {"token": "theirs"}}
    theirs["metadata"] = {"name": loader.token_secret, "namespace": loader.namespace}
    await client.create(SECRETS, loader.namespace, theirs)
    with pytest.raises(ForeignSecretError):
        await secrets.write(loader, loader.token_secret, {"token": b"b"})
    assert await _token(client, loader) == "theirs"
