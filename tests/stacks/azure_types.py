"""Checks what a program asks of Azure against the types that Microsoft generates from its own API descriptions.

The packages azure-mgmt-* hold one TypedDict for each object, with the names of the REST API. Pulumi lays the members of
`properties` flat beside the others, so they are put back first. Used by `test_azure_types`.
"""

from __future__ import annotations

import enum
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final, Required, get_args, get_origin, get_type_hints

import typing_extensions
from typing_extensions import is_typeddict

PACKAGES: Final = {
    "compute": "compute",
    "containerservice": "containerservice",
    "keyvault": "keyvault",
    "network": "network",
    "privatedns": "privatedns",
    "storage": "storage",
}
"""Modules of Azure Native whose package has typed dictionaries. Those of dns, authorization, managedidentity and
resources have older classes only."""

_OTHER_NAMES: Final = {
    "PrivateRecordSet": "RecordSet",
    "Secret": "SecretCreateOrUpdateParameters",
    "StorageAccount": "StorageAccountCreateParameters",
    "Vault": "VaultCreateOrUpdateParameters",
}
"""Pulumi's names where they are not the API's."""
_IN_THE_PATH: Final = frozenset(
    {"resourceGroupName", "resourceName", "virtualNetworkName", "agentPoolName", "configName", "privateZoneName"}
    | {"recordType", "relativeRecordSetName", "vaultName", "secretName", "subnetName"}
    | {"accountName", "containerName", "blobServicesName", "loadBalancerName"}
)
"""Inputs that Pulumi puts into the URL."""
_RENAMED: Final = {
    "enableHttpsTrafficOnly": "supportsHttpsTrafficOnly",
    "networkRuleSet": "networkAcls",
    "virtualNetworkResourceId": "id",
}
"""Inputs that Pulumi calls otherwise than the API."""
_OPEN: Final = frozenset({"vmSize"})
"""Enumerations that Azure adds to every month."""


def problems(type_: str, inputs: Mapping[str, Any]) -> list[str] | None:
    """What Azure would refuse about a resource of Azure Native; None where Microsoft has no typed dictionary for it."""
    _, module, kind = type_.split(":")
    if module not in PACKAGES:
        return None
    package = f"azure.mgmt.{PACKAGES[module]}"
    model = getattr(import_module(f"{package}.types"), _OTHER_NAMES.get(kind, kind), None)
    if model is None:
        return None
    body = {key: value for key, value in inputs.items() if key not in _IN_THE_PATH}
    return list(_Checker(package).object(body, model, ""))


class _Checker:
    """Walks a value and a type side by side."""

    def __init__(self, package: str) -> None:
        self._names = vars(import_module(f"{package}.models")) | vars(import_module(f"{package}.types"))
        self._names |= {"_models": import_module(f"{package}.models"), "_types": import_module(f"{package}.types")}

    def value(self, value: Any, expected: Any, path: str) -> Iterator[str]:
        """What is wrong with a value of any type."""
        if isinstance(expected, str | typing.ForwardRef):
            # Inside list["X"] and alike the name is left as it is.
            text = expected if isinstance(expected, str) else expected.__forward_arg__
            expected = eval(text, self._names)  # noqa: S307 - the text is Microsoft's annotation
        if expected is Any or value is None:
            return
        origin = get_origin(expected)
        if origin in (typing.Union, types.UnionType):
            yield from self._one_of(value, [each for each in get_args(expected) if each is not type(None)], path)
        elif origin in (list, Sequence):
            yield from self._list(value, get_args(expected)[0], path)
        elif origin is dict:
            yield from self._map(value, get_args(expected)[1], path)
        elif is_typeddict(expected):
            yield from self.object(value, expected, path)
        else:
            yield from _simple(value, expected, path)

    def object(self, value: Any, model: Any, path: str) -> Iterator[str]:
        """What is wrong with an object."""
        if not isinstance(value, Mapping):
            yield f"{path}: an object {model.__name__} is expected, not {value!r}"
            return
        hints = self._hints(model)
        members = self._folded(value, hints)
        for key, member in members.items():
            where = f"{path}.{key}" if path else key
            if key in hints:
                yield from self.value(member, hints[key], where)
            else:
                yield f"{where}: {model.__name__} has no such property"
        for key in self._required(model):
            # Azure Native takes the location from its configuration.
            if key not in members and not (key == "location" and not path):
                yield f"{path}: {model.__name__} needs {key}"

    def _one_of(self, value: Any, choices: list[Any], path: str) -> Iterator[str]:
        enums = [each for each in choices if isinstance(each, type) and issubclass(each, enum.Enum)]
        if enums and isinstance(value, str):
            values = [member.value for each in enums for member in each]
            if value not in values and path.rsplit(".", 1)[-1] not in _OPEN:
                yield f"{path}: {value!r} is none of {values}"
            return
        attempts = [list(self.value(value, choice, path)) for choice in choices]
        yield from min(attempts, key=len)

    def _list(self, value: Any, member: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: a list is expected, not {value!r}"
            return
        for number, each in enumerate(value):
            yield from self.value(each, member, f"{path}[{number}]")

    def _map(self, value: Any, member: Any, path: str) -> Iterator[str]:
        if path.endswith("userAssignedIdentities") and isinstance(value, list):
            return  # Pulumi takes a list here and makes the map itself
        if not isinstance(value, Mapping):
            yield f"{path}: a map is expected, not {value!r}"
            return
        for key, each in value.items():
            yield from self.value(each, member, f"{path}.{key}")

    def _hints(self, model: Any) -> dict[str, Any]:
        return _type_hints(model, self._scope, extras=False)

    def _required(self, model: Any) -> list[str]:
        # Not __required_keys__: the generator leaves total=False out of subclasses.
        marked = _type_hints(model, self._scope, extras=True)
        return [key for key, hint in marked.items() if get_origin(hint) in (Required, typing_extensions.Required)]

    def _scope(self) -> dict[str, Any]:
        return self._names

    def _folded(self, value: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
        """Members under the API's own spelling, those of `properties` where they belong."""
        properties = self._properties(hints)
        inner_names = {_letters(name): name for name in properties}
        names = {_letters(name): name for name in hints}
        outer: dict[str, Any] = {}
        inner: dict[str, Any] = {}
        for given, member in value.items():
            key = _RENAMED.get(given, given)
            if _letters(key) in names:
                outer[names[_letters(key)]] = member
            elif _letters(key) in inner_names:
                inner[inner_names[_letters(key)]] = member
            else:
                outer[key] = member
        return {**outer, "properties": {**inner, **outer.get("properties", {})}} if inner else outer

    def _properties(self, hints: Mapping[str, Any]) -> dict[str, Any]:
        hint = hints.get("properties")
        candidates = get_args(hint) or (hint,)
        found = next((each for each in candidates if is_typeddict(each)), None)
        return {} if found is None else self._hints(found)


_hints_of: dict[tuple[Any, bool], dict[str, Any]] = {}


def _type_hints(model: Any, scope: Callable[[], dict[str, Any]], *, extras: bool) -> dict[str, Any]:
    if (model, extras) not in _hints_of:
        names = vars(sys.modules[model.__module__]) | scope()
        _hints_of[model, extras] = get_type_hints(model, globalns=names, include_extras=extras)
    return _hints_of[model, extras]


@cache
def _letters(name: str) -> str:
    """A name without hyphens and case: the API writes balance-similar-node-groups and storageURI."""
    return name.replace("-", "").replace("_", "").lower()


def _simple(value: Any, expected: Any, path: str) -> Iterator[str]:
    if isinstance(expected, type) and issubclass(expected, enum.Enum):
        values = [member.value for member in expected]
        if value not in values:
            yield f"{path}: {value!r} is none of {values}"
    elif expected in (str, int, float, bool):
        kinds = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}[expected]
        if not isinstance(value, kinds) or (isinstance(value, bool) and expected is not bool):
            yield f"{path}: {expected.__name__} is expected, not {value!r}"
