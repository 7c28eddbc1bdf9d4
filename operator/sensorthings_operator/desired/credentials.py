"""The Secret of the managed database's owner. Its password is drawn when it is missing, and kept nowhere else."""

from base64 import b64encode

from sensorthings_operator.desired.database import COMPONENT, USERNAME, credentials_name
from sensorthings_operator.desired.metadata import GENERATED_KEYS_ANNOTATION, Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Secret, with an annotation that names the key whose value is drawn; nothing for a database run elsewhere."""
    if service.spec.database.type != "Managed":
        return []
    described = metadata(service, COMPONENT, credentials_name(service))
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**described, "annotations": {GENERATED_KEYS_ANNOTATION: "password"}},
            "type": "kubernetes.io/basic-auth",
            "data": {"username": b64encode(USERNAME.encode()).decode()},
        }
    ]
