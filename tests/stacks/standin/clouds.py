"""What stands in for Azure and Kubernetes: they answer with what was asked for and what they add, and count writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.stacks.recorder import computed, invoked
from tests.stacks.standin.wire import at, opened

if TYPE_CHECKING:
    from tests.stacks.standin.state import Record

_OF_ALL: Final = ("location", "resourceGroupName")
_IMMUTABLE: Final[dict[str, tuple[str, ...]]] = {
    "azure-native:compute:Disk": (*_OF_ALL, "zones", "creationData.createOption"),
    "azure-native:compute:VirtualMachine": (*_OF_ALL, "zones", "osProfile.computerName", "osProfile.customData"),
    "azure-native:containerservice:ManagedCluster": (*_OF_ALL, "dnsPrefix", "networkProfile.podCidr"),
    "azure-native:network:VirtualNetwork": _OF_ALL,
    "azure-native:keyvault:Vault": _OF_ALL,
    "keycloak:index/realm:Realm": ("realm",),
    "kubernetes:core/v1:Namespace": ("metadata.name",),
    "kubernetes:core/v1:ConfigMap": ("metadata.name", "metadata.namespace"),
}
"""Properties whose change makes another resource. Some of Azure's, those that the tests change; the real provider has
more of them."""


class Clouds:
    """All of them; created once for a city, so that they count over several runs."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str]] = []
        """What was written: create, update or delete, and the URN."""

    def create(self, urn: str, type_: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Id and outputs of a new resource."""
        self.writes.append(("create", urn))
        name = urn.rsplit("::", 1)[-1]
        return f"/id/{type_.rsplit(':', maxsplit=1)[-1]}/{name}", _answer(name, type_, inputs)

    def update(self, urn: str, type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Outputs of a changed resource."""
        self.writes.append(("update", urn))
        return _answer(urn.rsplit("::", 1)[-1], type_, inputs)

    def delete(self, record: Record) -> None:
        """Take it away."""
        self.writes.append(("delete", record.urn))

    def preview(self, type_: str, inputs: dict[str, Any]) -> None:
        """Ask whether it would be taken, where that can be asked; nothing is written.

        Raises:
            Refused: It would not.
        """

    def invoke(self, token: str) -> dict[str, Any]:
        """What a function of a provider answers."""
        return invoked(token)


def replacing(type_: str, old: dict[str, Any], new: dict[str, Any], more: list[str]) -> list[str]:
    """The properties whose change makes another resource."""
    return [path for path in (*_IMMUTABLE.get(type_, ()), *more) if opened(at(old, path)) != opened(at(new, path))]


def _answer(name: str, type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if type_.startswith("pulumi:providers:"):
        return inputs
    added: dict[str, Any] = {} if type_.startswith("kubernetes:") else {"name": name}
    return {**added, **inputs, **computed(type_, name, opened(inputs))}
