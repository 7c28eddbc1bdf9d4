"""What is wrong with cities beyond their single layers: between the layers of one, and between cities. Pure."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from sensorthings_stacks.cities.city import City, Finding
from sensorthings_stacks.cities.projects import PROJECTS, of_target
from sensorthings_stacks.settings.city import CitySettings
from sensorthings_stacks.settings.database import DatabaseSettings
from sensorthings_stacks.settings.network import NetworkSettings
from sensorthings_stacks.settings.platform import PlatformSettings
from sensorthings_stacks.settings.reading import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sensorthings_stacks.settings.city import Service

_OURS: Final = frozenset(
    {"cert-manager", "default", "ingress-nginx", "keycloak", "monitoring", "sensorthings-system"}
    | {"kube-node-lease", "kube-public", "kube-system"}
)
"""Namespaces that are the platform's or the cluster's own."""
_MQTT_PORT: Final = 8883
"""That of a service that names none."""


def within(city: City) -> list[Finding]:
    """What is wrong between the layers of a city. Layers that are wrong in themselves are left out."""
    checks = (
        _has_its_layers,
        _layers_agree,
        _keycloak_has_a_database,
        _tenants_have_a_place,
        _realms_are_known,
        _the_realm_is_known,
        _hosts_lead_here,
        _ports_differ,
    )
    return [finding for check in checks for finding in check(city)]


def between(cities: Iterable[City]) -> dict[str, list[Finding]]:
    """What is wrong between cities, by the name of the city."""
    found: dict[str, list[Finding]] = defaultdict(list)
    for one, other in combinations(cities, 2):
        for first, second in ((one, other), (other, one)):
            found[first.name] += [*_apart(first, second), *_named_apart(first, second)]
    return dict(found)


def _finding(city: City, layer: str, key: str, message: str, given: object = None) -> Finding:
    return Finding(city.path(layer), Problem(key, None if given is None else str(given), message))


def _has_its_layers(city: City) -> Iterator[Finding]:
    if {each.file.name for each in city.problems if each.file is not None and not each.problem.path}:
        return  # a file that can't be read is no missing one
    wanted = {project.layer for project in of_target(city.target)}
    for project in PROJECTS:
        if project.layer in wanted and project.layer not in city.files:
            message = f"there is no {project.layer}/Pulumi.{city.name}.yaml: `sensorthings city new` writes all of them"
            yield Finding(None, Problem("", None, message))
        elif project.layer not in wanted and project.layer in city.files:
            yield _finding(city, project.layer, "", "a city of target existing has no such layer: remove the file")


def _layers_agree(city: City) -> Iterator[Finding]:
    for key, default in (("target", "azure"), ("cluster", None)):
        platform, own = city.given("platform", key) or default, city.given("city", key) or default
        if {"platform", "city"} <= set(city.files) and platform != own:
            yield _finding(city, "city", key, "must be what stands in the platform's file: both are one cluster")
    regions = {project.layer: city.location(project.layer) for project in PROJECTS if project.on_azure}
    for layer, region in regions.items():
        first = regions["network"]
        if first is not None and region is not None and region != first:
            yield _finding(city, layer, "azure-native:location", f"must be {first}, as in the network's file", region)


def _keycloak_has_a_database(city: City) -> Iterator[Finding]:
    platform, database = city.layer(PlatformSettings), city.layer(DatabaseSettings)
    if platform is None or platform.keycloak is None or platform.keycloak.database is not None or database is None:
        return
    # Encrypted as a whole, it is there and can't be read.
    if city.given("database", "keycloak") is None:
        told = "is missing: add keycloak to the database's file, as {}, or name another database here"
        yield _finding(city, "platform", "keycloak.database", told)


def _services(city: City) -> list[tuple[str, Service]]:
    """Every service with the path to it."""
    settings = city.layer(CitySettings)
    return [
        (f"tenants[{number}].services[{index}]", service)
        for number, tenant in enumerate(settings.tenants if settings is not None else ())
        for index, service in enumerate(tenant.services)
    ]


def _tenants_have_a_place(city: City) -> Iterator[Finding]:
    settings = city.layer(CitySettings)
    for number, tenant in enumerate(settings.tenants if settings is not None else ()):
        if tenant.namespace in _OURS or tenant.namespace.startswith("kube-"):
            told = "is the platform's or the cluster's own: give the tenant another"
            yield _finding(city, "city", f"tenants[{number}].namespace", told, tenant.namespace)


def _realms_are_known(city: City) -> Iterator[Finding]:
    platform = city.layer(PlatformSettings)
    if platform is None:
        return
    known = platform.operator.keycloak_realms
    for path, service in _services(city):
        realm = service.spec["auth"].get("keycloak", {}).get("realm")
        if realm is not None and realm not in known:
            told = f"is no realm that the operator knows: operator.keycloakRealms of the platform has {_listed(known)}"
            yield _finding(city, "city", f"{path}.spec.auth.keycloak.realm", told, realm)


def _the_realm_is_known(city: City) -> Iterator[Finding]:
    """The operator is told of the realm that the city layer makes, with the Secret that it writes."""
    settings, platform = city.layer(CitySettings), city.layer(PlatformSettings)
    if settings is None or settings.realm is None or platform is None:
        return
    realm, known = settings.realm, platform.operator.keycloak_realms
    name = next((name for name, each in known.items() if each.realm == realm.name), None)
    if name is None:
        wanted = f"{{url: {realm.url}, realm: {realm.name}, secretName: {realm.secret_name}}}"
        told = f"is not told to the operator: add it to operator.keycloakRealms of the platform, as {wanted}"
        yield _finding(city, "city", "realm.name", told, realm.name)
        return
    for key, given, wanted in (
        ("url", known[name].url, realm.url),
        ("secretName", known[name].secret_name, realm.secret_name),
    ):
        if given.rstrip("/") != wanted.rstrip("/"):
            told = f"must be {wanted}, as the city layer makes the realm {realm.name}"
            yield _finding(city, "platform", f"operator.keycloakRealms.{name}.{key}", told, given)


def _own_hosts(platform: PlatformSettings | None) -> dict[str, tuple[str, str]]:
    """Layer and path of the host names that the platform's parts have."""
    if platform is None:
        return {}
    parts = {"keycloak": platform.keycloak, "grafana": platform.grafana}
    return {part.host: ("platform", f"{key}.host") for key, part in parts.items() if part is not None}


def _hosts(city: City) -> dict[str, tuple[str, str]]:
    """Layer and path of every host name of a city."""
    services = {service.spec["host"]: ("city", f"{path}.spec.host") for path, service in _services(city)}
    return services | _own_hosts(city.layer(PlatformSettings))


def _hosts_lead_here(city: City) -> Iterator[Finding]:
    own, network = _own_hosts(city.layer(PlatformSettings)), city.layer(NetworkSettings)
    for path, service in _services(city):
        if service.spec["host"] in own:
            told = f"is that of {own[service.spec['host']][1]} of the platform: each has a name of its own"
            yield _finding(city, "city", f"{path}.spec.host", told, service.spec["host"])
    for host, (layer, path) in _hosts(city).items():
        if network is not None and host.endswith(f".{network.dns_zone}"):
            label = host.removesuffix(f".{network.dns_zone}")
            if label not in network.hosts:
                told = f"leads nowhere: add {label} to hosts of the network, which has {_listed(network.hosts)}"
                yield _finding(city, layer, path, told, host)


def _ports_differ(city: City) -> Iterator[Finding]:
    seen: dict[int, str] = {}
    for path, service in _services(city):
        exposure: dict[str, Any] = service.spec["exposure"]
        if exposure["type"] != "IngressNginx":
            continue
        port = (exposure.get("ingressNginx") or {}).get("mqttPort", _MQTT_PORT)
        if port in seen:
            told = f"is that of {seen[port]}: give this service another one for MQTT, such as 8884"
            yield _finding(city, "city", f"{path}.spec.exposure.ingressNginx.mqttPort", told, port)
        seen.setdefault(port, service.name)


def _apart(city: City, other: City) -> Iterator[Finding]:
    """Cities can be peered later, so their networks are apart; pods of one must reach the network of the other, too."""
    mine, theirs = city.layer(NetworkSettings), other.layer(NetworkSettings)
    if mine is None or theirs is None:
        return
    network = mine.addresses.network
    for name in ("network", "pods", "services"):
        taken = getattr(theirs.addresses, name)
        if network.overlaps(taken):
            told = f"overlaps with {name} of {other.name} ({taken}): every city has a network of its own"
            yield _finding(city, "network", "addresses.network", told, network)


def _named_apart(city: City, other: City) -> Iterator[Finding]:
    mine, theirs = city.layer(NetworkSettings), other.layer(NetworkSettings)
    if mine is not None and theirs is not None and mine.dns_zone == theirs.dns_zone:
        told = f"is the zone of {other.name}, too: two zones of one name hide each other"
        yield _finding(city, "network", "dnsZone", told, mine.dns_zone)
    cluster = city.layer(PlatformSettings)
    same = other.layer(PlatformSettings)
    if cluster is not None and same is not None and cluster.cluster is not None and cluster.cluster == same.cluster:
        told = f"is the cluster of {other.name}, too: a second platform on it would fight the first"
        yield _finding(city, "platform", "cluster", told, cluster.cluster.context)
    own, others = _hosts(city), _hosts(other)
    for host in own.keys() & others.keys():
        layer, path = own[host]
        yield _finding(city, layer, path, f"is a host of {other.name}, too: a name leads to one place", host)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
