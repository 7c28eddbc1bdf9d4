"""What is wrong with a spec that the API server could not know.

Run by the reconcile, the command line and the tests.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cronsim import CronSim, CronSimError

from sensorthings_operator.api.exposure import IngressNginx
from sensorthings_operator.api.sensorthingsservice import SensorThingsServiceSpec
from sensorthings_operator.desired.tcpservices import RESERVED_PORTS
from sensorthings_operator.desired.versions import VERSIONS

_UNROUTABLE: Final = re.compile(r"//|/\.\.?(/|$)")
"""Segments that clients take out of a URL before they ask."""
_SOME_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""From which on a schedule has to come, once in fifty years."""


@dataclass(frozen=True)
class SpecProblem:
    """One thing that is wrong: a reason for machines, where it is, and what is allowed instead."""

    reason: str
    path: str
    message: str


Check = Callable[[SensorThingsServiceSpec], Iterator[SpecProblem]]


def validate(spec: SensorThingsServiceSpec) -> tuple[SpecProblem, ...]:
    """Everything that is wrong with the spec; empty where it can be acted on."""
    return tuple(problem for check in _CHECKS for problem in check(spec))


def _version_known(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    if spec.version not in VERSIONS:
        known = ", ".join(VERSIONS)
        yield SpecProblem(
            "UnknownVersion", "spec.version", f"FROST-Server {spec.version} is not known; known are {known}"
        )


def _reading(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    if spec.auth.type == "None" and not spec.auth.anonymous_read:
        yield SpecProblem(
            "InvalidSpec", "spec.auth.anonymousRead", "auth.type None asks nobody for a token: only true is possible"
        )


def _routes(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    """What would stand in the Ingresses and in the controller's ports, and lead nowhere."""
    gateway = spec.exposure.gateway
    if spec.exposure.type == "None":
        return
    routes = gateway or spec.exposure.ingress_nginx or IngressNginx()
    base = "spec.exposure.ingressNginx" if gateway is None else "spec.exposure.gateway"
    if gateway is None and routes.mqtt_port in RESERVED_PORTS:
        told = f"ingress-nginx itself listens on {routes.mqtt_port}: choose another port, such as 8883"
        yield SpecProblem("InvalidSpec", f"{base}.mqttPort", told)
    if routes.web_socket_path == spec.root_path:
        told = "is spec.rootPath too: choose another path, such as /mqtt"
        yield SpecProblem("InvalidSpec", f"{base}.webSocketPath", told)
    harvested = None if spec.catalogue is None else spec.catalogue.endpoint
    if harvested is not None and f"{routes.web_socket_path}/".startswith(f"{harvested.path}/"):
        told = f"{base}.webSocketPath {routes.web_socket_path} lies below it: choose another path, such as /catalogue"
        yield SpecProblem("InvalidSpec", "spec.catalogue.endpoint.path", told)
    portal = spec.portal
    if portal is not None and f"{routes.web_socket_path}/".startswith(f"{portal.path}/"):
        told = f"{base}.webSocketPath {routes.web_socket_path} lies below it: choose another path, such as /map"
        yield SpecProblem("InvalidSpec", "spec.portal.path", told)
    for path, value in (("spec.rootPath", spec.root_path), (f"{base}.webSocketPath", routes.web_socket_path)):
        if _UNROUTABLE.search(value):
            yield SpecProblem("InvalidSpec", path, "no client asks for a path with //, /./ or /../: leave that out")


def _reads(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    external, managed = spec.database.external, spec.database.managed
    standbys = (0 if external is None else len(external.replicas)) + (0 if managed is None else managed.instances - 1)
    if spec.http.read_replicas > 0 and standbys == 0:
        told = (
            "needs spec.database.external.replicas, or two spec.database.managed.instances: "
            "there is no standby to read from"
        )
        yield SpecProblem("InvalidSpec", "spec.http.readReplicas", told)


def _schedules(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    backup = None if spec.database.managed is None else spec.database.managed.backup
    if backup is None:
        return
    base = "spec.database.managed.backup"
    for path, schedule in ((f"{base}.schedule", backup.schedule), (f"{base}.drill.schedule", backup.drill.schedule)):
        try:
            next(CronSim(schedule, _SOME_DAY))
        except (CronSimError, StopIteration):
            told = (
                f'"{schedule}" is no time that ever comes: minute, hour, day of the month, month and day of the week, '
                'such as "17 1 * * *"'
            )
            yield SpecProblem("InvalidSpec", path, told)


_CHECKS: Final[tuple[Check, ...]] = (_version_known, _routes, _reads, _reading, _schedules)
