"""FROST-Server's HTTP module beside the machines: a process in the network namespace of their client, as the operator
renders it for a pair of its own, with the schema that its Job makes and the bus that it writes to.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.processes import Place, end, unpacked
from localcluster.images import catalogue, pinned
from sensorthings_operator.desired.addresses import HTTP_PORT
from sensorthings_operator.desired.settings import Images, OperatorSettings
from sensorthings_stacks.machines import cluster as c
from tests.e2e.clients import ROOT_PATH, Http
from tests.stacks.machines.site import CLUSTER, PATIENCE
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stacks.machines.client import Client

_CREDENTIALS, _AUTHORITY = "database", "database-authority"
_HOSTS: Final = {f"{member.name}.{CLUSTER.domain}": str(member.address) for member in CLUSTER.databases}
SERVICE: Final[dict[str, Any]] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "SensorThingsService",
    "metadata": {"name": "city", "namespace": "city"},
    "spec": {
        "version": pinned.FROST,
        # As the city layer writes it for the database layer's machines.
        "database": {
            "type": "External",
            "external": {
                "primary": {"host": next(iter(_HOSTS))},
                "replicas": [{"host": host} for host in list(_HOSTS)[1:]],
                "name": c.DATABASE,
                "credentialsSecretRef": {"name": _CREDENTIALS},
                "tls": {"mode": "verify-full", "caSecretRef": {"name": _AUTHORITY}},
            },
        },
        "exposure": {"type": "None"},
        "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
    },
}


@dataclass(frozen=True)
class Frost:
    """FROST-Server that runs."""

    http: Http
    log: Path

    def answers(self) -> bool:
        """Whether it does, from the database."""
        return self.http.get("Things?$top=1&$select=id").status == 200

    def observations(self, datastream: int) -> str:
        """Where Observations of a Datastream are POSTed, for a client on the same node."""
        return f"http://{self.http.host}:{self.http.port}{ROOT_PATH}/Datastreams({datastream})/Observations"


@contextmanager
def running(folder: Path, node: Client) -> Iterator[Frost]:
    """FROST-Server on a node, once it answers; its schema is made before."""
    secrets = {
        _CREDENTIALS: {"username": c.OWNER.encode(), "password": PASSWORDS[c.OWNER].encode()},
        _AUTHORITY: {"ca.crt": node.place.authority.read_bytes()},
    }
    processes = unpacked(
        SERVICE,
        OperatorSettings(images=_images()),
        folder,
        parts=("schema", "bus", "http"),
        place=Place(("nsenter", f"--net={node.network}"), secrets, _HOSTS),
    )
    made = Frost(Http("127.0.0.1", HTTP_PORT, node.network), folder / "http.log")
    try:
        schema = processes.start("schema")
        processes.await_part("schema", made.answers, PATIENCE)
        end(schema)
        for part in ("bus", "http"):
            processes.start(part)
        processes.await_part("http", made.answers, PATIENCE)
        yield made
    finally:
        processes.end()


def _images() -> Images:
    frost = catalogue.find("frost-http").reference.replace(pinned.FROST, "{version}")
    return Images(frost_http=frost, mosquitto=catalogue.find("mosquitto").reference)
