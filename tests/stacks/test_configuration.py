"""The configuration: read once and whole; what is wrong is named with its key, what was given and what is allowed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_stacks.settings.city import CitySettings
from sensorthings_stacks.settings.cluster import ClusterSettings
from sensorthings_stacks.settings.database import DatabaseSettings
from sensorthings_stacks.settings.network import NetworkSettings
from sensorthings_stacks.settings.platform import PlatformSettings
from sensorthings_stacks.settings.reading import ConfigurationError, parse
from tests.stacks.programs import LAYERS, PASSWORDS, configuration, project

if TYPE_CHECKING:
    from sensorthings_stacks.settings.base import Settings

SETTINGS: dict[str, type[Settings]] = {
    "network": NetworkSettings,
    "cluster": ClusterSettings,
    "database": DatabaseSettings,
    "platform": PlatformSettings,
    "city": CitySettings,
}


def _read(layer: str, **changes: Any) -> Settings:
    """Hamburg's settings with some keys changed; None takes a key away."""
    name = project(layer)["name"]
    whole = {key.removeprefix(f"{name}:"): value for key, value in configuration(layer).items()} | changes
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in whole.items()}
    return parse(SETTINGS[layer], lambda key: None if whole.get(key) is None else texts[key])


@pytest.mark.parametrize("layer", LAYERS)
def test_hamburgs_files_are_a_configuration(layer: str) -> None:
    assert isinstance(_read(layer), SETTINGS[layer])


def _service(name: str, **more: Any) -> dict[str, Any]:
    spec = {"host": f"{name}.example.org", "version": "2.8.0", "exposure": {"type": "None"}, "auth": {"type": "None"}}
    return {"name": name, "spec": {**spec, **more}}


def _tenant(service: dict[str, Any] | None = None, namespace: str = "one") -> dict[str, Any]:
    return {"namespace": namespace, "services": [] if service is None else [service]}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("network", {"dnsZone": None}, r"dnsZone: is required: a fully qualified DNS name in lower case"),
    ("network", {"dnsZone": "Hamburg"}, r'dnsZone: must be a fully qualified DNS name .* \(given: "Hamburg"\)'),
    ("network", {"hosts": "iot"}, r'hosts: must be a list of 1 to 50, .* \(given: "iot"\)'),
    ("network", {"hosts": []}, r"hosts: must be a list of 1 to 50"),
    ("network", {"hosts": ["a_b"]}, r'hosts\[0\]: must be text that matches .* \(given: "a_b"\)'),
    ("network", {"addresses": {"pods": "10.244.0.1/16"}}, r"addresses\.pods: must be an IPv4 range .* host bits"),
    ("network", {"addresses": {"pods": "8.0.0.0/16"}}, r"addresses: pods \(8\.0\.0\.0/16\) must lie within"),
    ("network", {"addresses": {"pods": "10.20.0.0/16"}}, r"network \(10\.20\.0\.0/16\) and pods .* overlap"),
    ("network", {"addresses": {"database": "10.20.0.0/24"}}, r"cluster .* and database \(10\.20\.0\.0/24\) overlap"),
    ("network", {"addresses": {"database": "10.21.0.0/24"}}, r"database \(10\.21\.0\.0/24\) must lie within network"),
    ("network", {"addresses": {"cluster": "10.20.0.0/28"}}, r"cluster \(10\.20\.0\.0/28\) is too small: a /24"),
    ("network", {"addresses": {"podz": "10.0.0.0/16"}}, r"addresses\.podz: is not a key: keys here are network,"),
    ("cluster", {"kubernetesVersion": "1.34.2"}, r'kubernetesVersion: must be .* \(given: "1\.34\.2"\)'),
    (
        "cluster",
        {"systemPool": {"minNodes": 1}},
        r"systemPool\.minNodes: must be a whole number from 3 to 100 \(given: 1\)",
    ),
    ("cluster", {"systemPool": {"minNodes": "3x"}}, r"systemPool\.minNodes: must be a whole number"),
    (
        "cluster",
        {"userPool": {"minNodes": 5, "maxNodes": 4}},
        r"minNodes \(5\) must not be greater than maxNodes \(4\)",
    ),
    ("cluster", {"administrators": []}, r"administrators: must be a list of 1 to 20"),
    ("cluster", {"administrators": ["team"]}, r'administrators\[0\]: must be a UUID, .* \(given: "team"\)'),
    ("cluster", {"apiServer": {"access": "Public"}}, r"apiServer\.access: must be one of Restricted, Private"),
    ("cluster", {"apiServer": {"access": "Restricted"}}, r"without one Azure opens the API to the whole internet"),
    ("cluster", {"apiServer": {"authorizedRanges": ["0.0.0.0/0"]}}, r"a prefix shorter than /8"),
    ("cluster", {"maintenance": {"start": "25:00"}}, r"maintenance\.start: must be"),
    ("cluster", {"maintenance": "{"}, r"maintenance: must be an object"),
    ("database", {"vmSize": "Standard_B2ms"}, r"vmSize: must be a size of the series .* \(given: \"Standard_B2ms\"\)"),
    ("database", {"diskGibibytes": 8}, r"diskGibibytes: must be a whole number from 32 to 32767 \(given: 8\)"),
    ("database", {"administratorKey": "-----BEGIN"}, r"administratorKey: must be text that matches"),
    ("database", {"keycloak": {}}, r"pulumi config set --secret --path keycloak\.password"),
    ("database", {"passwords": None}, r"pulumi config set --secret --path passwords"),
    ("platform", {"charts": {"certManager": "v1"}}, r'charts\.certManager: must be .* \(given: "v1"\)'),
    ("city", {"tenants": [{"namespace": "Hamburg"}]}, r"tenants\[0\]\.namespace: must be"),
    ("city", {"certificateEmail": "nobody"}, r"certificateEmail: must be"),
    (
        "city",
        {"tenants": [_tenant({"name": "a", "spec": {"version": "2.8.0"}})]},
        r"tenants\[0\]\.services\[0\]: spec\.exposure: is required",
    ),
    (
        "city",
        {"tenants": [_tenant({"name": "a", "spec": {"certificate": {}}})]},
        r"sets certificate of the spec itself: remove it",
    ),
    ("city", {"tenants": [_tenant(_service("a")), _tenant(_service("b"), "b")]}, r"tenants: one/a and b/b would write"),
    (
        "city",
        {"tenants": [_tenant(_service("a")), _tenant(_service("a", database={"type": "Managed"}), "b")]},
        r"tenants: the host a\.example\.org stands there twice",
    ),
    ("city", {"tenants": [_tenant(), _tenant()]}, r"tenants: the namespace one stands there twice"),
    (
        "city",
        {"tenants": [{"namespace": "one", "connectors": [{"name": "c", "spec": {"serviceRef": {"name": "a"}}}]}]},
        r"tenants\[0\].*: ",
    ),
    ("city", {"target": "existing"}, r"cluster: is required where target is existing"),
    ("city", {"database": {"hosts": ["db"], "password": "p" * 20}}, r"database: belongs to target existing"),
    ("city", {"target": "aws"}, r'target: must be one of azure, existing \(given: "aws"\)'),
    ("platform", {"cluster": {"context": "mine"}}, r"cluster: belongs to target existing"),
    ("platform", {"target": "existing", "cluster": {"context": "mine"}}, r"keycloak: database is required where"),
    ("platform", {"keycloak": None}, r"grafana: login is by this layer's Keycloak"),
    ("platform", {"keycloak": {"host": "id.example.org"}}, r"keycloak\.image: is required"),
    ("platform", {"ingress": {"serviceType": "ClusterIP"}}, r"ingress\.serviceType: must be one of LoadBalancer,"),
]


@pytest.mark.parametrize(("layer", "changes", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_named(layer: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _read(layer, **changes)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read("database", diskGibibytes=1, vmSize="large", administratorKey="")
    assert {problem.path for problem in caught.value.problems} == {"diskGibibytes", "vmSize", "administratorKey"}


@pytest.mark.parametrize(
    "passwords",
    ["not JSON at all, hunter2", {"sensorthings": "hunter2", "replication": "hunter2hunter2hunter2"}, ["hunter2"]],
)
def test_a_wrong_password_is_not_repeated(passwords: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read("database", passwords=passwords)
    assert "hunter2" not in str(caught.value)
    assert "passwords" in str(caught.value)


def test_settings_do_not_show_passwords() -> None:
    settings = _read("database")
    assert not any(password in repr(settings) for password in PASSWORDS.values())


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


@given(layer=st.sampled_from(LAYERS), data=st.data())
def test_any_value_is_read_or_refused_by_name(layer: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(list(project(layer)["config"])))
    text = data.draw(st.text(max_size=40) | _ANYTHING.map(json.dumps))
    try:
        _read(layer, **{key: text})
    except ConfigurationError as error:
        paths = [problem.path for problem in error.problems]
    else:
        paths = [key]
    assert paths
    assert all(path.startswith(key) for path in paths)


@pytest.mark.parametrize("layer", LAYERS)
def test_pulumis_schema_says_what_the_types_say(layer: str) -> None:
    declared = project(layer)["config"]
    schema = SETTINGS[layer].model_json_schema(by_alias=True)
    assert set(declared) == set(schema["properties"])
    optional = {key for key, member in schema["properties"].items() if "anyOf" in member}
    required = {key for key, entry in declared.items() if "default" not in entry}
    assert required == set(schema["required"]) | optional
    for key, member in schema["properties"].items():
        present = next((each for each in member.get("anyOf", ()) if each.get("type") != "null"), member)
        node = schema["$defs"][present["$ref"].split("/")[-1]] if "$ref" in present else present
        assert declared[key]["type"] == node["type"], key
        assert declared[key]["description"], key
        assert declared[key].get("secret", False) == ("password" in json.dumps(_whole(node, schema))), key


@pytest.mark.parametrize("layer", LAYERS)
def test_pulumis_defaults_are_the_types_defaults(layer: str) -> None:
    fields = SETTINGS[layer].model_fields
    for key, entry in project(layer)["config"].items():
        if "default" in entry:
            field = next(field for field in fields.values() if field.alias == key)
            (settings,) = [_read(layer, **{key: entry["default"]})]
            name = next(name for name, each in fields.items() if each is field)
            assert getattr(settings, name) == field.get_default(call_default_factory=True), key


def _whole(node: Any, schema: dict[str, Any]) -> Any:
    """A schema node with its references written out, without the words for people."""
    if isinstance(node, list):
        return [_whole(each, schema) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _whole(schema["$defs"][node["$ref"].split("/")[-1]], schema)
    return {key: _whole(value, schema) for key, value in node.items() if key in {"format", "properties", "items"}} | {
        name: _whole(member, schema) for name, member in node.items() if isinstance(member, dict)
    }
