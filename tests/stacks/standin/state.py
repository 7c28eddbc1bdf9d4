"""What a stack is made of, and its export in the form that `pulumi stack import` reads."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.fernet import Fernet

from tests.stacks.standin.wire import SECRET, SIGNATURE, is_secret

STACK: Final = "pulumi:pulumi:Stack"
_TIME: Final = "2026-11-23T00:00:00Z"


@dataclass(frozen=True)
class Record:
    """A resource as Pulumi keeps it. Its inputs and outputs hold their secrets marked."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    parent: str = ""
    provider: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    retain: bool = False
    external: bool = False

    @property
    def name(self) -> str:
        """Its name within the program."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def package(self) -> str:
        """Whose type it is, such as azure-native."""
        return self.type.split(":", maxsplit=1)[0]


@dataclass(frozen=True)
class State:
    """A stack between two runs."""

    records: dict[str, Record] = field(default_factory=dict)
    """Its resources by URN, in the order in which they were registered."""

    @property
    def outputs(self) -> dict[str, Any]:
        """What the stack exports, secrets marked."""
        return next((record.outputs for record in self.records.values() if record.type == STACK), {})

    def of_type(self, ending: str) -> list[Record]:
        """Resources whose type ends so."""
        return [record for record in self.records.values() if record.type.endswith(ending)]

    def without_protection(self, *urns: str) -> State:
        """As after `pulumi state unprotect`; of all resources where none is named."""
        chosen = urns or tuple(self.records)
        return State(
            {urn: replace(record, protect=record.protect and urn not in chosen) for urn, record in self.records.items()}
        )

    def deployment(self, key: bytes) -> dict[str, Any]:
        """Pulumi's export of a stack, version 3. Secrets are encrypted with a key of Fernet.

        Pulumi would name its own secrets provider, and could not decrypt these: the form is what is shown.
        """
        fernet = Fernet(key)
        manifest = {"time": _TIME, "magic": "", "version": ""}
        resources = [_exported(record, fernet) for record in self.records.values()]
        return {"version": 3, "deployment": {"manifest": manifest, "resources": resources}}


def _exported(record: Record, fernet: Fernet) -> dict[str, Any]:
    # Without retainOnDelete: Pulumi writes it, and its own schema of version 3.274.1 refuses it.
    optional = {
        "id": record.id,
        "parent": record.parent,
        "provider": record.provider,
        "dependencies": list(record.dependencies),
        "propertyDependencies": record.property_dependencies,
        "protect": record.protect,
        "external": record.external,
    }
    return {
        "urn": record.urn,
        "custom": record.custom,
        "type": record.type,
        "inputs": _encrypted(record.inputs, fernet),
        "outputs": _encrypted(record.outputs, fernet),
        **{name: value for name, value in optional.items() if value},
    }


def _encrypted(value: Any, fernet: Fernet) -> Any:
    if is_secret(value):
        return {SIGNATURE: SECRET, "ciphertext": fernet.encrypt(json.dumps(value["value"]).encode()).decode()}
    if isinstance(value, dict):
        return {key: _encrypted(member, fernet) for key, member in value.items()}
    return [_encrypted(member, fernet) for member in value] if isinstance(value, list) else value
