"""NetworkPolicies: who reaches the pods of a service, and whom they reach. One for each part, for our own pods alone.

What is not said is denied, in both directions. Pods that others make for the service are not selected, such as those
with which cert-manager proves that the host is ours; a default for the whole namespace is the namespace's owner's to
set. Traffic from a pod's own node is always let in (https://kubernetes.io/docs/concepts/services-networking/network-policies),
so that probes need no rule.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from sensorthings_operator.desired import (
    addresses,
    bus,
    catalogue,
    database,
    databases,
    delivery,
    http,
    keycloak,
    mqtt,
    mqttgate,
    podmonitor,
    portal,
    reads,
    schema,
    sidecar,
)
from sensorthings_operator.desired.database import backups, pgbackrest, repository
from sensorthings_operator.desired.metadata import (
    COMPONENT_LABEL,
    FIELD_MANAGER,
    SERVICE_LABEL,
    Manifest,
    metadata,
    selector,
)
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""Kubernetes itself puts it on every namespace."""
_NAME_LABEL: Final = "app.kubernetes.io/name"
DNS_PORTS: Final = (53, 5353)
"""The second is where the pods listen of clusters whose DNS runs without privileges."""
HTTPS_PORTS: Final = (443, 8443)
"""A policy sees the port of the pod behind a Service: of an ingress controller, where Keycloak is in the cluster."""
HTTP_PORTS: Final = (80, 8080)
API_SERVER_PORTS: Final = (443, 6443)
"""Where API servers listen, in front of their Service and behind it: on no pod's address, so that no selector helps."""
_EVERY_POD: Final[Manifest] = {"namespaceSelector": {}}


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """A policy for each part that the service has; none where the operator's settings say so."""
    if not settings.network_policies:
        return []
    frost = [*dns(), *_bus(service), *_database(service)]
    tokens = _keycloak(service, settings)
    at_http = [
        *_http_clients(service, settings),
        *_looks(service, settings, addresses.HTTP_PORT, also=catalogue.is_wanted(service)),
        *_publishers(service, settings),
    ]
    at_mqtt = [*_mqtt_clients(service, settings), *_looks(service, settings, delivery.mqtt_port(service))]
    policies = [
        policy(service, http.COMPONENT, ingress=at_http, egress=[*frost, *tokens]),
        *_reads(service, settings, tokens),
        policy(service, mqtt.COMPONENT, ingress=at_mqtt, egress=[*frost, *tokens, *_published(service)]),
        policy(service, schema.COMPONENT, ingress=[], egress=[*dns(), *_database(service)]),
    ]
    if catalogue.endpoint.wanted(service) is not None:
        harvested = [rule([catalogue.PORT], source=_clients(service, settings))]
        policies.append(policy(service, catalogue.COMPONENT, ingress=harvested))
    if portal.wanted(service) is not None:
        policies.append(
            policy(service, portal.COMPONENT, ingress=[rule([portal.PORT], source=_clients(service, settings))])
        )
    if service.spec.bus.type == "Mosquitto":
        modules = parts(service, http.COMPONENT, mqtt.COMPONENT)
        policies.append(policy(service, bus.COMPONENT, ingress=[rule([addresses.BUS_PORT], source=[modules])]))
    if service.spec.database.type == "Managed":
        policies += [_database_policy(each, settings) for each in databases.running(service)]
    return policies


def _database_policy(service: Service, settings: OperatorSettings) -> Manifest:
    read = [reads.COMPONENT] if reads.is_wanted(service) else []
    modules = parts(service, http.COMPONENT, *read, mqtt.COMPONENT, schema.COMPONENT)
    ingress = [rule([addresses.DATABASE_PORT], source=[modules, _operator(settings)])]
    component, archived = addresses.database_component(service), pgbackrest.wanted(service) is not None
    archive = [*dns(), *backup_storage(service)] if archived else []
    if archived:
        ingress.append(rule([pgbackrest.PORT], source=[parts(service, backups.COMPONENT)]))
    if not addresses.is_pair(service):
        return policy(service, component, ingress=ingress, egress=archive)
    ports = [addresses.DATABASE_PORT, database.PATRONI_PORT]
    others = [parts(service, component)]
    return policy(
        service,
        component,
        ingress=[*ingress, rule(ports, source=others)],
        egress=[*(archive or dns()), rule(ports, destination=others), rule(API_SERVER_PORTS)],
    )


def backup_storage(service: Service) -> list[Manifest]:
    """Where backups lie: the pod that has their volume, or a store wherever it is; nothing without backups."""
    backup = pgbackrest.wanted(service)
    if backup is None:
        return []
    if backup.storage.s3 is None:
        return [rule([pgbackrest.PORT], destination=[parts(service, repository.COMPONENT)])]
    return [rule([urlsplit(backup.storage.s3.endpoint).port or HTTPS_PORTS[0]])]


def _reads(service: Service, settings: OperatorSettings, tokens: list[Manifest]) -> list[Manifest]:
    if not reads.is_wanted(service):
        return []
    egress = [*dns(), *_database(service), *tokens]
    return [policy(service, reads.COMPONENT, ingress=_http_clients(service, settings), egress=egress)]


def name(service: Service, component: str) -> str:
    """Name of the policy of a part."""
    return f"{service.name}-{component}"


def policy(
    service: Service, component: str, *, ingress: Iterable[Manifest], egress: Iterable[Manifest] = ()
) -> Manifest:
    """The policy of a part."""
    rules = {"ingress": list(ingress), "egress": list(egress)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(service, component, name(service, component)),
        "spec": {
            "podSelector": {"matchLabels": selector(service, component)},
            "policyTypes": ["Ingress", "Egress"],
            # Without rules a direction is shut.
            **{direction: listed for direction, listed in rules.items() if listed},
        },
    }


def rule(
    ports: Iterable[int],
    *,
    source: list[Manifest] | None = None,
    destination: list[Manifest] | None = None,
    protocols: tuple[str, ...] = ("TCP",),
) -> Manifest:
    """Lets traffic to these ports pass, from or to these peers; from or to anywhere where none is given."""
    rule: Manifest = {"ports": [{"protocol": protocol, "port": port} for port in ports for protocol in protocols]}
    if source is not None:
        rule["from"] = source
    if destination is not None:
        rule["to"] = destination
    return rule


def parts(service: Service, *components: str) -> Manifest:
    """Pods of these parts of the same service: a service has no business with another's."""
    expression = {"key": COMPONENT_LABEL, "operator": "In", "values": list(components)}
    return {"podSelector": {"matchLabels": {SERVICE_LABEL: service.name}, "matchExpressions": [expression]}}


def _namespace(namespace: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: namespace}}}


def _operator(settings: OperatorSettings) -> Manifest:
    return {**_namespace(settings.namespace), "podSelector": {"matchLabels": {_NAME_LABEL: FIELD_MANAGER}}}


def _clients(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Where clients come from: the ingress controller or the Gateway's pods where that is the way in, else anywhere."""
    if addresses.exposed(service) is not None:
        return [_namespace(settings.ingress_nginx.namespace)]
    routes = addresses.gateway(service)
    if routes is not None:
        # The pods of a Gateway lie where its implementation puts them: in a namespace of its own, or in the Gateway's.
        return [
            _namespace(each) for each in sorted({*settings.gateway_namespaces, routes.namespace or service.namespace})
        ]
    return [_EVERY_POD]


def _http_clients(service: Service, settings: OperatorSettings) -> list[Manifest]:
    return [
        rule([addresses.HTTP_PORT], source=_clients(service, settings)),
        *_metrics(podmonitor.frost_ports(service)),
    ]


def _mqtt_clients(service: Service, settings: OperatorSettings) -> list[Manifest]:
    tls = sidecar.is_wanted(service)
    ports = sidecar.pod_ports(service) if tls else (addresses.MQTT_PORT, addresses.WEBSOCKET_PORT)
    status = [mqttgate.STATUS_PORT, *([addresses.STATUS_PORT] if tls else [])]
    return [
        rule(ports, source=_clients(service, settings)),
        *_metrics([*status, *podmonitor.frost_ports(service)]),
    ]


def _publishers(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The MQTT module's pods, where not everybody is let in anyway: what is published there is stored here."""
    if not service.spec.mqtt.publishing.enabled or _clients(service, settings) == [_EVERY_POD]:
        return []
    return [rule([addresses.HTTP_PORT], source=[parts(service, mqtt.COMPONENT)])]


def _published(service: Service) -> list[Manifest]:
    """Where it is stored."""
    if not service.spec.mqtt.publishing.enabled:
        return []
    return [rule([addresses.HTTP_PORT], destination=[parts(service, http.COMPONENT)])]


def _looks(service: Service, settings: OperatorSettings, port: int, *, also: bool = False) -> list[Manifest]:
    """The operator, which verifies delivery, where not everybody is let in anyway; ``also``: for another reason."""
    verifies = delivery.is_wanted(service) and settings.delivery_probe_seconds > 0
    if not (verifies or also) or _clients(service, settings) == [_EVERY_POD]:
        return []
    return [rule([port], source=[_operator(settings)])]


def _metrics(ports: list[int]) -> list[Manifest]:
    """Figures are for whoever watches the cluster, from a namespace that only the cluster knows; they hold no data."""
    return [rule(ports, source=[_EVERY_POD])] if ports else []


def dns() -> list[Manifest]:
    """Names are looked up."""
    # Anywhere: caches on the nodes answer at addresses that no selector names.
    return [rule(DNS_PORTS, protocols=("UDP", "TCP"))]


def _bus(service: Service) -> list[Manifest]:
    external = service.spec.bus.external
    if external is not None:
        return [rule([external.port])]
    return [rule([addresses.BUS_PORT], destination=[parts(service, bus.COMPONENT)])]


def _database(service: Service) -> list[Manifest]:
    external = service.spec.database.external
    if external is not None:
        # A policy knows addresses and no names; the pair's may change.
        return [rule(sorted({endpoint.port for endpoint in (external.primary, *external.replicas)}))]
    return [rule([addresses.DATABASE_PORT], destination=[parts(service, addresses.database_component(service))])]


def _keycloak(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Its keys and, for a login by password, its tokens; wherever it is."""
    if not keycloak.is_used(service):
        return []
    realm = keycloak.realm_of(service, settings)
    url = urlsplit("https://" if realm is None else realm.url)
    usual = HTTP_PORTS if url.scheme == "http" else HTTPS_PORTS
    given = () if url.port is None else (url.port,)
    return [rule(sorted({*usual, *given}))]
