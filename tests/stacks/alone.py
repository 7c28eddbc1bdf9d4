"""Runs each component by itself under Pulumi's mocks, with its own arguments and nothing else, in one process for all.

Arguments are filled by their names and types, so that a new component needs nothing here as long as it calls things
what the others call them. What is asked for, and what its outputs become, is written to standard output as JSON.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
import sys
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output
from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.sync_await import _sync_await

from sensorthings_stacks import components
from sensorthings_stacks.cities.projects import PROJECTS
from sensorthings_stacks.components.database_access import DatabaseAccess
from sensorthings_stacks.components.monitoring import DatabaseMachines
from sensorthings_stacks.settings.reading import parse
from tests.stacks import programs
from tests.stacks.recorder import Cloud, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CITY: Final = "hamburg"


def found() -> dict[str, type[pulumi.ComponentResource]]:
    """Every component of the stacks, by its module and name."""
    modules = [
        importlib.import_module(each.name)
        for each in pkgutil.walk_packages(components.__path__, f"{components.__name__}.")
    ]
    classes = [
        each
        for module in modules
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, pulumi.ComponentResource) and each.__module__ == module.__name__
    ]
    return {f"{each.__module__.rpartition('.')[2]}.{each.__name__}": each for each in classes}


def arguments_of(component: type[pulumi.ComponentResource]) -> type[Any]:
    """The type of its arguments: that of its name, beside it."""
    arguments: type[Any] = getattr(sys.modules[component.__module__], f"{component.__name__}Args")
    return arguments


def _settings() -> dict[str, Any]:
    """Hamburg's settings of each layer, and those parts of them that components take, by the names of their types."""
    read = {}
    for project in PROJECTS:
        prefix = f"{project.name}:"
        config = {
            key.removeprefix(prefix): value for key, value in programs.configuration(project.layer, _CITY).items()
        }
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
        read[project.settings.__name__] = parse(project.settings, texts.get)
    city, platform = read["CitySettings"], read["PlatformSettings"]
    parts = {
        "city.Realm": city.realm,
        "city.Tenant": city.tenants[0],
        "platform.Keycloak": platform.keycloak,
        "Addresses": read["NetworkSettings"].addresses,
    }
    return {**read, **parts}


def _of_types(provider: kubernetes.Provider) -> dict[str, Any]:
    """What is given for a type, whatever its name."""
    database = DatabaseAccess(hosts=["db.example"], name="city", username="city", password=Output.secret("a password"))
    return {
        **_settings(),
        "kubernetes.Provider": provider,
        # Somebody's, which only says what comes first.
        "pulumi.Resource": provider,
        "DatabaseAccess": database,
        "DatabaseAccess | None": database,
        "monitoring.DatabaseMachines | None": DatabaseMachines(hosts=["db.example"], authority="a certificate"),
        "Path": programs.STACKS.parent / "crds",
        "int | None": 64,
        "Input[str]": "some-text",
        "str": "some-text",
    }


_OF_NAMES: Final[Mapping[str, Any]] = {
    "address": "10.30.16.10",
    "addresses: Input[str]": "10.30.32.0/26",
    "addresses: Mapping[str, Input[str]]": {"db-0": "10.30.16.10", "db-witness": "10.30.16.12"},
    "cluster_range": "10.30.0.0/20",
    "database_range": "10.30.16.0/24",
    "egress_address": "198.51.100.7",
    "hosts": ["iot"],
    "load_balancer": {},
    "passwords": {role: Output.secret(password) for role, password in programs.PASSWORDS.items()},
    "pod_range": "10.244.0.0/16",
    "readers": {"db-0": ["a-secret"]},
    "secrets": {"a-secret": Output.secret("kept")},
    "service_range": "10.96.0.0/16",
    "shared": {"db-0": ["primary"]},
    "vm_size": "Standard_D4ds_v5",
    "writers": {"db-0": "principal"},
    "zone": "1",
    "zones": ["1", "2", "3"],
}


def _arguments(component: type[pulumi.ComponentResource], provider: kubernetes.Provider) -> Any:
    given, types = {}, _of_types(provider)
    for field in dataclasses.fields(arguments_of(component)):
        # The one that says most: a name with its type, a name, a type.
        known = ((_OF_NAMES, f"{field.name}: {field.type}"), (_OF_NAMES, field.name), (types, str(field.type)))
        value = next((values[key] for values, key in known if key in values), field.default)
        if value is dataclasses.MISSING:
            raise TypeError(f"say in tests/stacks/alone.py what {field.name} ({field.type}) may be")
        given[field.name] = value
    return arguments_of(component)(**given)


def _plain(value: Any) -> Any:
    """An output of a component, with those within it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    return value


def _run(component: type[pulumi.ComponentResource]) -> dict[str, Any]:
    recorder = Recorder(Cloud({}))
    mocks.set_mocks(recorder.mocks, project="alone", stack=_CITY, preview=False, monitor=recorder, organization="city")
    made: list[pulumi.ComponentResource] = []
    outputs: dict[str, Any] = {}

    def program() -> Output[None]:
        provider = kubernetes.Provider("somebodys", kubeconfig="apiVersion: v1\n")
        one = component("alone", _arguments(component, provider))
        made.append(one)
        told = {name: _plain(getattr(one, name)) for name in inspect.get_annotations(component)}
        return Output.all(**told).apply(outputs.update) if told else Output.from_input(None)

    _tested(program)
    urn = _sync_await(made[0].urn.future())
    return {"urn": urn, "outputs": outputs, "resources": recorder.resources_asked_for}


def _tested(program: Callable[[], Output[None]]) -> None:
    mocks.test(program)()  # type: ignore[no-untyped-call]


def main() -> None:
    """Run all of them; a component that fails is told with its error."""
    set_all_config({}, [])
    told: dict[str, Any] = {}
    for name, component in found().items():
        try:
            told[name] = _run(component)
        except Exception as error:
            told[name] = {"error": f"{type(error).__name__}: {error}"}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
