"""Tags on every Azure resource that takes them, by one transform instead of an argument of each. Each program calls it.

The transform adds; a resource that sets a tag of the same name itself keeps its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pulumi

UNTAGGED: Final = frozenset(
    {
        "azure-native:authorization:RoleAssignment",
        "azure-native:containerservice:MaintenanceConfiguration",
        "azure-native:dns:RecordSet",
        "azure-native:network:Subnet",
        "azure-native:privatedns:PrivateRecordSet",
        "azure-native:storage:BlobContainer",
        "azure-native:storage:BlobServiceProperties",
    }
)
"""Types of the stacks that have no property `tags`."""


REQUIRED: Final = ("city", "layer", "managed-by")
"""What every tagged resource says."""


def tagged(type_: str, properties: Mapping[str, object], tags: Mapping[str, str]) -> dict[str, object]:
    """A resource's properties with the tags added, where its type takes them."""
    if not type_.startswith("azure-native:") or type_ in UNTAGGED:
        return dict(properties)
    own = properties.get("tags")
    return {**properties, "tags": {**tags, **(own if isinstance(own, Mapping) else {})}}


def tag_everything(city: str, layer: str) -> None:
    """Tag whatever the program makes after this call."""
    tags = dict(zip(REQUIRED, (city, layer, "pulumi"), strict=True))

    def transform(arguments: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
        return pulumi.ResourceTransformResult(tagged(arguments.type_, arguments.props, tags), arguments.opts)

    pulumi.runtime.register_resource_transform(transform)
