"""What FROST-Server's modules share: settings as environment, credentials, volumes, JVM. Used by http, mqtt and schema.

Settings are FROST-Server's own, documented at https://fraunhoferiosb.github.io/FROST-Server/settings/settings.html;
in the environment a dot becomes an underscore.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sensorthings_operator.desired import addresses, basic, jdbc
from sensorthings_operator.desired.accounts import frost_account_name
from sensorthings_operator.desired.metadata import CREDENTIALS_HASH_ANNOTATION, Manifest, digest, metadata, selector
from sensorthings_operator.desired.pods import TMP_MOUNT, TMP_VOLUME, env, env_from_secret, pod_spec
from sensorthings_operator.desired.queues import HEAP_PERCENT
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import Replicas, deployment, replicas

USER: Final = 10001
CONNECTIONS_PER_POD: Final = 20
"""persistence.db.conn.max: connections that one pod may open for data."""

DATABASE_URL: Final = "persistence.db.url"
_SYSCTLS: Final = (
    # A connection of the pool that nobody uses ends within 11 s of its server's machine. Each one that does not costs a
    # request the 12 s of the driver's socketTimeout, one after the other, when it is taken from the pool.
    {"name": "net.ipv4.tcp_keepalive_time", "value": "5"},
    {"name": "net.ipv4.tcp_keepalive_intvl", "value": "2"},
    {"name": "net.ipv4.tcp_keepalive_probes", "value": "3"},
)
"""Safe ones, which Kubernetes allows to restricted pods: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
_JAVA_OPTIONS: Final = (
    # Without it an OutOfMemoryError leaves a module that works no more and does not exit.
    "-XX:+ExitOnOutOfMemoryError",
    f"-XX:MaxRAMPercentage={HEAP_PERCENT}",
    # The bus and the database move to another address when their pod does: the JVM's own 30 s would be an outage.
    "-Dsun.net.inetaddr.ttl=5",
    "-Dsun.net.inetaddr.negative.ttl=1",
    jdbc.JAVA_OPTION,
)


def most_connections(service: Service) -> int:
    """Connections that all pods together may open, while a rollout has one more of each module."""
    pods = sum(replicas(service, tier).most + 1 for tier in (service.spec.http, service.spec.mqtt))
    reading = service.spec.http.read_replicas
    # They take the primary where no standby answers.
    return (pods + (reading + 1 if reading else 0)) * (CONNECTIONS_PER_POD + basic.connections_per_pod(service))


def _persistence(url: str) -> dict[str, str]:
    return {
        "persistence.persistenceManagerImplementationClass": (
            "de.fraunhofer.iosb.ilt.frostserver.persistence.pgjooq.PostgresPersistenceManager"
        ),
        "persistence.db.driver": "org.postgresql.Driver",
        DATABASE_URL: url,
        "persistence.db.conn.max": str(CONNECTIONS_PER_POD),
        "persistence.db.conn.idle.max": "10",
        "persistence.db.conn.idle.min": "2",
    }


def message_bus(service: Service, settings: OperatorSettings, queue_size: str) -> dict[str, str]:
    """Settings of the bus between the modules. QoS 2: an Observation is neither lost nor told twice.

    Args:
        service: the service.
        settings: the operator's.
        queue_size: of messages to the bus, and of those from it.
    """
    return {
        "bus.busImplementationClass": "de.fraunhofer.iosb.ilt.frostserver.messagebus.MqttMessageBus",
        "bus.mqttBroker": addresses.bus_address(service, settings).url,
        "bus.topicName": "FROST-Bus",
        "bus.qosLevel": "2",
        "bus.maxInFlight": "50",
        "bus.sendWorkerPoolSize": "10",
        "bus.sendQueueSize": queue_size,
        "bus.recvWorkerPoolSize": "10",
        "bus.recvQueueSize": queue_size,
    }


def environment(
    service: Service,
    settings: OperatorSettings,
    module: Mapping[str, str],
    given: Mapping[str, str],
    java_options: Sequence[str] = (),
) -> list[Manifest]:
    """The environment of a module: the operator's settings, the user's on top where the API server let them pass."""
    address = addresses.database_address(service, settings)
    url = module.get(DATABASE_URL, addresses.jdbc_url(address))
    values = {
        "serviceRootUrl": addresses.root_url(service, settings),
        "plugins.coreModel.enable": "true",
        "plugins.openApi.enable": "true",
        **_persistence(url),
        **basic.connection_settings(service, url),
        "persistence.autoUpdateDatabase": "false",
        **module,
        **given,
    }
    return [
        {"name": "JAVA_TOOL_OPTIONS", "value": " ".join((*_JAVA_OPTIONS, *java_options))},
        *env({name.replace(".", "_"): value for name, value in values.items()}),
        env_from_secret("persistence_db_username", address.credentials_secret, "username"),
        env_from_secret("persistence_db_password", address.credentials_secret, "password"),
        *basic.environment(service, settings),
    ]


def volumes(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Volumes of a module's pod."""
    ca = addresses.database_address(service, settings).ca_secret
    if ca is None:
        return [TMP_VOLUME, jdbc.volume(service)]
    return [
        TMP_VOLUME,
        jdbc.volume(service),
        {"name": "database-ca", "secret": {"secretName": ca, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]


def mounts(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Mounts of a module's container."""
    if addresses.database_address(service, settings).ca_secret is None:
        return [TMP_MOUNT, jdbc.mount()]
    return [TMP_MOUNT, jdbc.mount(), {"name": "database-ca", "mountPath": addresses.CA_MOUNT_PATH, "readOnly": True}]


def template_annotations(service: Service, settings: OperatorSettings) -> dict[str, str]:
    """Annotations that roll the pods when a Secret they read changes."""
    address = addresses.database_address(service, settings)
    read = [name for name in (address.credentials_secret, address.ca_secret) if name is not None]
    return {CREDENTIALS_HASH_ANNOTATION: digest([service.secret_digests.get(name, "") for name in read])}


def image(template: str, service: Service) -> str:
    """The image for the service's version of FROST-Server."""
    return template.replace("{version}", service.spec.version)


def module(  # noqa: PLR0913 - the parts in which the modules differ
    service: Service,
    settings: OperatorSettings,
    component: str,
    name: str,
    pods: Replicas,
    *,
    ports: list[Manifest],
    containers: list[Manifest],
    init_containers: list[Manifest] | None = None,
    more_volumes: Sequence[Manifest] = (),
    more_annotations: Mapping[str, str] = MappingProxyType({}),
) -> list[Manifest]:
    """A module of FROST-Server: the Service that clients go to, and the Deployment behind it."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(service, component, name),
            "spec": {"type": "ClusterIP", "selector": selector(service, component), "ports": ports},
        },
        deployment(
            service,
            component,
            name,
            replicas=pods,
            annotations={**template_annotations(service, settings), **more_annotations},
            pod=pod_spec(
                service,
                component,
                user=USER,
                sysctls=_SYSCTLS,
                service_account=frost_account_name(service),
                init_containers=init_containers,
                containers=containers,
                volumes=[*volumes(service, settings), *more_volumes],
            ),
        ),
    ]
