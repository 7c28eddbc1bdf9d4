"""Who reaches whom, as an evaluator reads the policies. Nothing here shows that a network enforces them."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.desired import addresses, backuppolicies, children, networkpolicy
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from tests.unit.catalogue.catalogued import CATALOGUE, EXPOSED
from tests.unit.operator.reachability import Namespace, Outside, Peer, Pod, allowed, isolated, matches
from tests.unit.operator.samples import EXTERNAL, SETTINGS, service

_COMPONENTS: Final = ("http", "mqtt", "bus", "database", "schema")
_EXPOSED: Final = {
    "host": "air.hamburg.example",
    "exposure": {"type": "IngressNginx"},
    "certificate": {"issuerRef": {"name": "city-ca"}},
}
_KEYCLOAK: Final = {"auth": {"type": "Keycloak", "keycloak": {"realm": "city"}}}
_EXTERNAL_BUS: Final = {"bus": {"type": "External", "external": {"host": "bus.city.internal", "port": 8885}}}
_PAIR: Final = {"database": {"type": "Managed", "managed": {"instances": 2}}}
_LATER: Final = {"version": "2.8.0", "monitoring": {"podMonitor": True}}
_PUBLISHING: Final = {"mqtt": {"publishing": {"enabled": True}}}
_SPECS: Final = st.builds(
    lambda *parts: {key: value for part in parts for key, value in part.items()},
    st.sampled_from([{}, EXTERNAL, _PAIR]),
    st.sampled_from([{}, _EXTERNAL_BUS]),
    st.sampled_from([{}, _EXPOSED]),
    st.sampled_from([{}, _KEYCLOAK]),
    st.sampled_from([{}, _LATER]),
    st.sampled_from([{}, {"hibernated": True}]),
    st.sampled_from([{}, _PUBLISHING]),
)
_URLS: Final = st.sampled_from(
    ["https://id.hamburg.example", "https://id.hamburg.example:9443/auth", "http://keycloak.keycloak:8180"]
)

_HAMBURG: Final = Namespace("hamburg")
_INGRESS: Final = Pod("ingress-nginx-controller-1", Namespace("ingress-nginx"), (("a", "b"),))
_OPERATOR: Final = Pod(
    "operator", Namespace("sensorthings-system"), (("app.kubernetes.io/name", "sensorthings-operator"),)
)
_BESIDE_OPERATOR: Final = Pod("other", Namespace("sensorthings-system"))
_PROMETHEUS: Final = Pod("prometheus-0", Namespace("monitoring"))
_SOLVER: Final = Pod("cm-acme-http-solver-x", _HAMBURG, (("acme.cert-manager.io/http01-solver", "true"),))
_STRANGER: Final = Pod("shell", _HAMBURG, (("app.kubernetes.io/component", "http"),))
_OUTSIDE: Final = Outside()
_STRANGERS: Final[tuple[Peer, ...]] = (_INGRESS, _OPERATOR, _BESIDE_OPERATOR, _PROMETHEUS, _SOLVER, _STRANGER, _OUTSIDE)
_PORTS: Final = (
    53,
    80,
    443,
    1883,
    5353,
    5432,
    5433,
    6443,
    8008,
    8080,
    8081,
    8082,
    8432,
    8443,
    8883,
    8884,
    8885,
    9400,
    9443,
    9876,
    8180,
)


@dataclass(frozen=True)
class _World:
    """A service, its policies and those of a neighbour in its namespace that has everything."""

    service: Service
    settings: OperatorSettings

    @cached_property
    def policies(self) -> list[Manifest]:
        """Of the service and of its neighbour."""
        neighbour = service({}, name="water")
        builders = (networkpolicy.build, backuppolicies.build)
        return [
            policy for each in (self.service, neighbour) for build in builders for policy in build(each, self.settings)
        ]

    def pod(self, component: str, *, of: str = "air", namespace: Namespace = _HAMBURG) -> Pod:
        labels = (("sensorthings.city/service", of), ("app.kubernetes.io/component", component))
        return Pod(f"{of}-{component}-1", namespace, labels)

    def allows(self, source: Peer, destination: Peer, port: int, protocol: str = "TCP") -> bool:
        return allowed(self.policies, source, destination, port, protocol)

    def ports(self, source: Peer, destination: Peer) -> set[int]:
        """Ports of the destination that the source reaches."""
        return {port for port in _PORTS if self.allows(source, destination, port)}


def _world(spec: Manifest, *, url: str = "https://id.hamburg.example", **settings: Any) -> _World:
    realm = KeycloakRealm.model_validate({"url": url, "realm": "city", "folder": "/x"})
    return _World(service(spec), SETTINGS.model_copy(update={"keycloak_realms": {"city": realm}, **settings}))


_WORLDS: Final = st.builds(lambda spec, url: _world(spec, url=url), _SPECS, _URLS)


@given(_WORLDS)
def test_the_bus_is_the_modules_alone(world: _World) -> None:
    bus = world.pod("bus")
    if world.service.spec.bus.type == "External":
        return
    for component in _COMPONENTS:
        assert world.ports(world.pod(component), bus) == ({8883} if component in ("http", "mqtt") else set())
        assert world.ports(world.pod(component, of="water"), bus) == set()
        assert world.ports(world.pod(component, namespace=Namespace("berlin")), bus) == set()
    for stranger in _STRANGERS:
        assert world.ports(stranger, bus) == set()


@given(_WORLDS)
def test_a_managed_database_is_of_the_modules_the_migration_and_the_operator_alone(world: _World) -> None:
    database = world.pod("database")
    if world.service.spec.database.type == "External":
        return
    for component in _COMPONENTS:
        expected = {5432} if component in ("http", "mqtt", "schema") else set()
        if component == "database" and addresses.is_pair(world.service):
            expected = {5432, 8008}
        assert world.ports(world.pod(component), database) == expected
        assert world.ports(world.pod(component, of="water"), database) == set()
    for stranger in _STRANGERS:
        assert world.ports(stranger, database) == ({5432} if stranger is _OPERATOR else set())


@given(_WORLDS, st.sampled_from(["bus", "database"]))
def test_bus_and_database_reach_nobody(world: _World, component: str) -> None:
    part = getattr(world.service.spec, component)
    if part.type == "External" or (component == "database" and addresses.is_pair(world.service)):
        return
    others = [world.pod(other, of=of) for other, of in product(_COMPONENTS, ("air", "water"))]
    for destination in (*others, *_STRANGERS):
        assert world.ports(world.pod(component), destination) == set()
        assert not world.allows(world.pod(component), destination, 53, "UDP")


@given(_WORLDS)
def test_instances_of_a_pair_reach_each_other_and_the_api_server(world: _World) -> None:
    """The API server is on no pod's address, so that its ports are open to everywhere."""
    if not addresses.is_pair(world.service):
        return
    source = world.pod("database")
    anywhere = {53, 5353, 443, 6443}
    assert world.allows(source, _OUTSIDE, 53, "UDP")
    assert world.ports(source, _OUTSIDE) == anywhere
    assert world.ports(source, world.pod("database")) == {5432, 8008}
    for component, of in product(_COMPONENTS, ("air", "water")):
        if (component, of) != ("database", "air"):
            assert world.ports(source, world.pod(component, of=of)) <= anywhere


@given(_WORLDS)
def test_nobody_reaches_a_migration(world: _World) -> None:
    for source in (*map(world.pod, _COMPONENTS), *_STRANGERS):
        assert world.ports(source, world.pod("schema")) == set()


@given(_WORLDS)
def test_clients_come_by_the_ingress_controller_where_there_is_one(world: _World) -> None:
    exposed = world.service.spec.exposure.type == "IngressNginx"
    tls = world.service.spec.certificate is not None
    later = {9400} if world.service.spec.monitoring.pod_monitor else set()
    metrics = {"http": later, "mqtt": later | {8082} | ({8081} if tls else set())}
    clients = {"http": {8080}, "mqtt": {8883, 8884} if tls else {1883, 9876}}
    for component, stranger in product(("http", "mqtt"), _STRANGERS):
        served = stranger is _INGRESS or (not exposed and stranger is not _OUTSIDE)
        watched = stranger is not _OUTSIDE
        expected = (clients[component] if served else set()) | (metrics[component] if watched else set())
        if stranger is _OPERATOR:
            # It verifies delivery.
            expected |= {8080} if component == "http" else {min(clients["mqtt"])}
        assert world.ports(stranger, world.pod(component)) == expected, (component, stranger)


def test_the_operator_reads_what_is_to_be_described_and_nothing_else() -> None:
    for catalogue, expected in ((CATALOGUE, {8080}), (None, set())):
        world = _world({**EXPOSED, "monitoring": {"verifyDelivery": False}, "catalogue": catalogue})
        assert world.ports(_OPERATOR, world.pod("http")) == expected
        assert world.ports(_OPERATOR, world.pod("mqtt")) & {1883, 8883, 8884, 9876} == set()


@given(_WORLDS)
def test_pods_of_others_are_left_alone(world: _World) -> None:
    """As those with which cert-manager shows that the host is ours: it must be reached, and reach its own."""
    for pod in (_SOLVER, _STRANGER, world.pod("http", namespace=Namespace("berlin"))):
        assert not isolated(world.policies, pod, "Ingress")
        assert not isolated(world.policies, pod, "Egress")
    assert world.allows(_INGRESS, _SOLVER, 8089)


@given(_WORLDS, st.sampled_from(["http", "mqtt", "schema"]))
def test_frost_server_looks_names_up_and_goes_nowhere_else(world: _World, component: str) -> None:
    source, spec = world.pod(component), world.service.spec
    assert world.allows(source, _OUTSIDE, 53, "UDP")
    expected = {53, 5353}
    if spec.database.type == "External":
        expected |= {5432, 5433}
    if component != "schema":
        expected |= {8885} if spec.bus.type == "External" else set()
        expected |= _keycloak_ports(world) if spec.auth.type == "Keycloak" else set()
    assert world.ports(source, _OUTSIDE) == expected
    assert world.ports(source, _PROMETHEUS) == expected


def _keycloak_ports(world: _World) -> set[int]:
    url = urlsplit(world.settings.keycloak_realms["city"].url)
    usual = {80, 8080} if url.scheme == "http" else {443, 8443}
    return usual | ({url.port} if url.port else set())


def _pods_of(made: list[Manifest]) -> list[tuple[Pod, Manifest]]:
    """The pods that workloads make, each with its template's spec."""
    templates = [(m["metadata"]["name"], m["spec"]["template"]) for m in made if "template" in m.get("spec", {})]
    return [
        (Pod(name, _HAMBURG, tuple(template["metadata"]["labels"].items())), template["spec"])
        for name, template in templates
    ]


@given(_WORLDS)
def test_every_pod_is_selected_in_both_directions(world: _World) -> None:
    for pod, _ in _pods_of(children(world.service, world.settings)):
        assert isolated(world.policies, pod, "Ingress"), pod.name
        assert isolated(world.policies, pod, "Egress"), pod.name


def _needed(spec: Manifest) -> set[tuple[str, int]]:
    """Hosts and ports that a pod's environment names: of the bus and of the database."""
    found = set()
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        for variable in container.get("env", ()):
            if variable["name"] == "bus_mqttBroker":
                url = urlsplit(variable["value"])
                found.add((url.hostname or "", url.port or 0))
            if variable["name"] == "persistence_db_url":
                hosts = urlsplit(variable["value"].removeprefix("jdbc:")).netloc
                found |= {(host, int(port)) for host, _, port in (each.rpartition(":") for each in hosts.split(","))}
    return found


@given(_WORLDS)
def test_pods_reach_what_they_are_configured_with(world: _World) -> None:
    made = children(world.service, world.settings)
    pods = _pods_of(made)
    services = {m["metadata"]["name"]: m["spec"] for m in made if m["kind"] == "Service"}
    asked = 0
    for pod, spec in pods:
        for host, port in _needed(spec):
            if not host.endswith(".svc.cluster.local"):
                assert world.allows(pod, _OUTSIDE, port), (pod.name, host, port)
                asked += 1
                continue
            # A pod's own name has the Service behind it.
            first, second = host.split(".")[:2]
            selector = {"matchLabels": services[first if first in services else second]["selector"]}
            targets = [target for target, _ in pods if matches(selector, dict(target.labels))]
            assert targets, f"nothing stands behind {host}"
            for target in targets:
                assert world.allows(pod, target, port), (pod.name, target.name, port)
                asked += 1
    assert asked >= 4


@given(_WORLDS)
def test_every_service_leads_clients_to_pods_that_let_them_in(world: _World) -> None:
    made = children(world.service, world.settings)
    pods = _pods_of(made)
    for child in made:
        if child["kind"] != "Service" or child["spec"].get("clusterIP") == "None":
            continue
        for pod, spec in pods:
            if not matches({"matchLabels": child["spec"]["selector"]}, dict(pod.labels)):
                continue
            containers = (*spec.get("initContainers", ()), *spec["containers"])
            numbers = {p["name"]: p["containerPort"] for c in containers for p in c.get("ports", ())}
            for port in child["spec"]["ports"]:
                assert world.allows(_INGRESS, pod, numbers[port["targetPort"]]), (pod.name, port)


def test_the_operator_s_settings_turn_them_off() -> None:
    assert networkpolicy.build(service(), SETTINGS.model_copy(update={"network_policies": False})) == []


def test_a_realm_that_the_operator_does_not_know_leaves_room_for_https() -> None:
    world = _World(service(_KEYCLOAK), SETTINGS)
    assert world.ports(world.pod("http"), _OUTSIDE) == {53, 5353, 443, 8443}


def test_the_controller_s_namespace_is_that_of_the_settings() -> None:
    nginx = SETTINGS.ingress_nginx.model_copy(update={"namespace": "edge"})
    world = _world(_EXPOSED, ingress_nginx=nginx)
    assert world.ports(_INGRESS, world.pod("http")) == set()
    assert world.ports(Pod("nginx", Namespace("edge")), world.pod("http")) == {8080}


def test_a_direction_without_rules_is_shut_by_its_type_alone() -> None:
    """An empty list would come back from the API server as no list, and look like somebody's change for ever."""
    for policy in networkpolicy.build(service(), SETTINGS):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert [] not in policy["spec"].values()


_WEB: Final = Pod("web", _HAMBURG, (("app", "web"),))
_DB: Final = Pod("db", _HAMBURG, (("app", "db"),))
_FAR: Final = Pod("web", Namespace("berlin", (("zone", "far"),)), (("app", "web"),))


def _policy(**spec: Any) -> Manifest:
    return {"metadata": {"namespace": "hamburg"}, "spec": {"podSelector": {"matchLabels": {"app": "db"}}, **spec}}


@pytest.mark.parametrize(
    ("policies", "source", "expected"),
    [
        ([], _FAR, True),
        ([_policy(policyTypes=["Ingress"])], _WEB, False),
        ([_policy(policyTypes=["Egress"])], _WEB, True),
        ([_policy(policyTypes=["Ingress"], ingress=[{}])], _OUTSIDE, True),
        ([_policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}])], _WEB, True),
        ([_policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}])], _FAR, False),
        ([_policy(policyTypes=["Ingress"], ingress=[{"from": [{"namespaceSelector": {}}]}])], _FAR, True),
        ([_policy(policyTypes=["Ingress"], ingress=[{"from": [{"namespaceSelector": {}}]}])], _OUTSIDE, False),
        (
            [
                _policy(
                    policyTypes=["Ingress"],
                    ingress=[
                        {
                            "from": [
                                {
                                    "namespaceSelector": {"matchLabels": {"zone": "far"}},
                                    "podSelector": {"matchLabels": {"app": "db"}},
                                }
                            ]
                        }
                    ],
                )
            ],
            _FAR,
            False,
        ),
        ([_policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 1}]}])], _WEB, False),
        ([_policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 5432, "protocol": "UDP"}]}])], _WEB, False),
        (
            [
                _policy(policyTypes=["Ingress"]),
                _policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 5432, "protocol": "TCP"}]}]),
            ],
            _WEB,
            True,
        ),
    ],
    ids=str,
)
def test_the_evaluator_reads_policies_as_kubernetes_does(
    policies: list[Manifest], source: Peer, expected: bool
) -> None:
    assert allowed(policies, source, _DB, 5432) == expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("In", {"http"}), ("NotIn", {"bus", None}), ("Exists", {"http", "bus"}), ("DoesNotExist", {None})],
)
def test_the_evaluator_reads_label_selectors_as_kubernetes_does(operator: str, expected: set[str | None]) -> None:
    expression = {"key": "part", "operator": operator, "values": ["http"]}
    labels: dict[str | None, dict[str, str]] = {"http": {"part": "http"}, "bus": {"part": "bus"}, None: {}}
    selector = {"matchExpressions": [expression]}
    assert {part for part, own in labels.items() if matches(selector, own)} == expected


def test_the_evaluator_does_not_guess() -> None:
    with pytest.raises(AssertionError, match="ipBlock"):
        allowed([_policy(policyTypes=["Ingress"], ingress=[{"from": [{"ipBlock": {"cidr": "::/0"}}]}])], _WEB, _DB, 1)
    with pytest.raises(AssertionError, match="Near"):
        matches({"matchExpressions": [{"key": "a", "operator": "Near", "values": []}]}, {})


_BACKED_UP: Final = ("http", "mqtt", "bus", "database", "database-r1", "schema", "backup", "drill", "repository")


def _backed_up(storage: Manifest, instances: int) -> _World:
    managed = {"instances": instances, "backup": {"storage": storage}, "restore": {"name": "r1"}}
    return _world({"database": {"type": "Managed", "managed": managed}})


@pytest.mark.parametrize("instances", [1, 2])
def test_backups_on_a_volume_are_of_the_databases_and_the_drill_alone(instances: int) -> None:
    world = _backed_up({"volume": {}}, instances)
    repository = world.pod("repository")
    for component in _BACKED_UP:
        expected = {8432} if component in ("database", "database-r1", "drill") else set()
        assert world.ports(world.pod(component), repository) == expected, component
        assert world.ports(world.pod(component, of="water"), repository) == set()
    for stranger in _STRANGERS:
        assert world.ports(stranger, repository) == set()
        assert world.ports(repository, stranger) == set()
        assert world.ports(world.pod("backup"), stranger) <= {53, 5353}
        assert world.ports(world.pod("drill"), stranger) <= {53, 5353}


@pytest.mark.parametrize("instances", [1, 2])
def test_files_of_the_database_that_serves_are_read_by_its_backups_alone(instances: int) -> None:
    world = _backed_up({"volume": {}}, instances)
    database = world.pod("database")
    readers = [component for component in _BACKED_UP if 8432 in world.ports(world.pod(component), database)]
    assert readers == ["backup"]
    assert 8432 not in world.ports(world.pod("backup", of="water"), database)
    assert 8432 not in {port for stranger in _STRANGERS for port in world.ports(stranger, database)}


@pytest.mark.parametrize("instances", [1, 2])
def test_a_store_is_reached_by_its_port_alone(instances: int) -> None:
    bucket = {"endpoint": "https://minio.city.internal:9400", "bucket": "air", "credentialsSecretRef": {"name": "s3"}}
    world = _backed_up({"s3": bucket}, instances)
    agree = {443, 6443} if instances > 1 else set()
    for component in ("database", "database-r1"):
        assert world.ports(world.pod(component), _OUTSIDE) == {53, 5353, 9400} | agree
    for component in ("backup", "drill"):
        assert world.ports(world.pod(component), _OUTSIDE) == {53, 5353, 9400}
    assert 9400 not in world.ports(world.pod("http"), _OUTSIDE)


def test_a_restored_database_and_the_one_that_serves_have_nothing_to_do_with_each_other() -> None:
    world = _backed_up({"volume": {}}, 2)
    for one, other in (("database", "database-r1"), ("database-r1", "database")):
        assert world.ports(world.pod(one), world.pod(other)) & {5432, 8008, 8432} == set()
        assert world.ports(world.pod(one), world.pod(one)) >= {5432, 8008}
