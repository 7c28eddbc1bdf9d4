"""The Secrets of the managed database: its owner's, and for a pair the passwords and certificates among its pods.

Values are drawn or issued where they are missing, and kept nowhere else.
"""

from base64 import b64encode
from dataclasses import replace

from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.buscertificates import CA, CLIENT, CLIENT_KEY, SERVER, SERVER_KEY
from sensorthings_operator.desired.database import names
from sensorthings_operator.desired.metadata import (
    CERTIFICATE_HOSTS_ANNOTATION,
    GENERATED_KEYS_ANNOTATION,
    Manifest,
    metadata,
)
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

_MOST_INSTANCES = 3
"""A certificate is for all pods that there may be, so that one more does not start the others anew."""
_CERTIFICATES = (CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY)


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Secrets, with annotations that name what is to be drawn or issued; nothing for a database run elsewhere."""
    if addresses.instances(service) == 0:
        return []
    # What all databases of the service have in common is called after the first.
    common = replace(service, database="")
    owner = {
        **_secret(common, names.credentials_name(service), {GENERATED_KEYS_ANNOTATION: "password"}),
        "type": "kubernetes.io/basic-auth",
        "data": {"username": b64encode(names.USERNAME.encode()).decode()},
    }
    if not addresses.is_pair(service):
        return [owner]
    passwords = f"{names.REPLICATION_PASSWORD},{names.REWIND_PASSWORD}"
    return [
        owner,
        _secret(common, names.replication_name(service), {GENERATED_KEYS_ANNOTATION: passwords}),
        *(_certificates(each, settings) for each in databases.running(service)),
    ]


def _certificates(service: Service, settings: OperatorSettings) -> Manifest:
    hosts = ",".join(_hosts(service, settings))
    return _secret(service, addresses.database_certificates_name(service), {CERTIFICATE_HOSTS_ANNOTATION: hosts})


def read_by_pods(service: Service) -> dict[str, tuple[str, ...]]:
    """The Secrets that only the pods of a pair read, and their keys: what rolls the pods when it changes."""
    if not addresses.is_pair(service):
        return {}
    return {
        names.replication_name(service): (names.REPLICATION_PASSWORD, names.REWIND_PASSWORD),
        **{addresses.database_certificates_name(each): _CERTIFICATES for each in databases.running(service)},
    }


def certificates_volume(service: Service) -> Manifest:
    """A volume with the certificates and keys that a pod of a pair needs."""
    secret = {
        "secretName": addresses.database_certificates_name(service),
        # PostgreSQL takes no key that others can read.
        "defaultMode": 0o440,
        "items": [{"key": key, "path": key} for key in _CERTIFICATES],
    }
    return {"name": "certificates", "secret": secret}


def _secret(service: Service, name: str, annotations: dict[str, str]) -> Manifest:
    described = metadata(service, addresses.database_component(service), name)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**described, "annotations": annotations},
        "type": "Opaque",
    }


def _hosts(service: Service, settings: OperatorSettings) -> list[str]:
    services = (addresses.primary_name(service), addresses.replica_name(service))
    return [
        *(addresses.instance_host(service, number, settings) for number in range(_MOST_INSTANCES)),
        *(addresses.cluster_host(service, name, settings) for name in services),
    ]
