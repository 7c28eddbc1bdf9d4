"""What every type of the API shares: immutability, camelCase names, and where Kubernetes' schema extensions go.

Used by the modules of this package that define the resources.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP: Final = "sensorthings.city"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class Model(BaseModel):
    """A frozen object of the API; its fields' docstrings become the descriptions in the CRD.

    Unknown fields are ignored here: the API server prunes them, and an operator older than the CRD must still run.
    The command line validates with ``extra="forbid"`` so that a typing error is told.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


def cel(rule: str, message: str, *, field_path: str | None = None, reason: str | None = None) -> dict[str, Any]:
    """A ``x-kubernetes-validations`` entry: what the API server checks, and what it tells people."""
    entry = {"rule": rule, "message": message}
    if field_path is not None:
        entry["fieldPath"] = field_path
    if reason is not None:
        entry["reason"] = reason
    return entry


def rules(*entries: dict[str, Any]) -> ConfigDict:
    """Model configuration that puts CEL rules on the object."""
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": list(entries)})


def _quantity_text(value: object) -> object:
    # A float is left to be refused, as the API server refuses it.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
FQDN: Final = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
USER_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$"

ObjectName = Annotated[str, Field(pattern=DNS_SUBDOMAIN, min_length=1, max_length=253)]
"""The name of a Kubernetes object."""
Hostname = Annotated[str, Field(pattern=DNS_SUBDOMAIN, min_length=1, max_length=253)]
"""A DNS name or an IPv4 address that the cluster can reach."""
PublicHostname = Annotated[str, Field(pattern=FQDN, min_length=3, max_length=253)]
"""A fully qualified DNS name, in lower case, without a trailing dot; no IP address."""
Port = Annotated[int, Field(ge=1, le=65535)]

PORT_PATTERN: Final = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
"""A port within a URL, or none: 1 to 65535 (RFC 6335)."""
"""A TCP port."""
Quantity = Annotated[
    str,
    Field(
        pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
        max_length=32,
        json_schema_extra={"x-kubernetes-int-or-string": True},
    ),
    # Last in the list, so that the constraints are of the text, and so that the JSON Schema keeps them.
    BeforeValidator(_quantity_text),
]
"""A Kubernetes quantity: 500m, 2, 1Gi."""


class SecretReference(Model):
    """A Secret in the namespace of the resource."""

    name: ObjectName
    """Name of the Secret."""


PullSecrets = Annotated[
    list[SecretReference],
    Field(max_length=8, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
]
"""Secrets for registries that ask for a password."""

_RESOURCE_NAMES: Final = cel(
    "self.all(k, k in ['cpu', 'memory', 'ephemeral-storage'])",
    "resources of a container are cpu, memory and ephemeral-storage",
)
ResourceList = Annotated[
    dict[str, Quantity], Field(max_length=8, json_schema_extra={"x-kubernetes-validations": [_RESOURCE_NAMES]})
]
"""Quantities by the name of the resource."""


class ResourceRequirements(Model):
    """Compute resources of a container, as in the Pod API."""

    requests: ResourceList = Field(default_factory=dict)
    """What the scheduler sets aside: cpu, memory."""
    limits: ResourceList = Field(default_factory=dict)
    """What the container may not exceed: cpu, memory."""


class VolumeStorage(Model):
    """The PersistentVolumeClaim of a stateful part. Its size and class can't be changed after it was made."""

    model_config = rules(
        cel(
            "self.size == oldSelf.size",
            "a volume's size can't be changed after it was made",
            field_path=".size",
        ),
        cel(
            "has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            "a volume's storageClassName can't be changed after it was made",
            field_path=".storageClassName",
        ),
    )

    size: Quantity = "10Gi"
    """Size of the volume."""
    storage_class_name: ObjectName | None = None
    """StorageClass; the cluster's default class where it is not given."""
    when_deleted: Literal["Retain", "Delete"] = "Retain"
    """What happens to the volume when the service is deleted; a StatefulSet's persistentVolumeClaimRetentionPolicy."""
