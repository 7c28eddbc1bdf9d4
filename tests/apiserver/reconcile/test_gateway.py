"""Routes through a Gateway as the operator keeps them, with the Gateway API's own schemas.

No controller of it is here: tests say what one would say of listeners and routes. tests/e2e has a real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.apiserver import upstream
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.walk import Walk

_LOOK_SECONDS: Final = 30.0
"""The operator looks for an API that is missing every ten seconds."""
_REFERENCE_SECONDS: Final = 45.0
"""What a spec refers to is looked for every half minute where it was not there."""
_NOW: Final = "2026-01-01T00:00:00Z"
_SHARED: Final = {"name": "city", "namespace": "gateways"}
_ROUTES: Final = (
    ("HTTPRoute", "air-http-redirect"),
    ("HTTPRoute", "air-http"),
    ("HTTPRoute", "air-mqtt-websocket"),
    ("TLSRoute", "air-mqtt"),
)


def _exposed(host: str, **routes: Any) -> dict[str, Any]:
    return {
        "host": host,
        "exposure": {"type": "Gateway", "gateway": routes or _SHARED},
        "certificate": {"issuerRef": {"name": "city"}},
    }


def _condition(type_: str, status: str, reason: str, message: str, generation: int) -> dict[str, Any]:
    told = {"type": type_, "status": status, "reason": reason, "message": message}
    return {**told, "observedGeneration": generation, "lastTransitionTime": _NOW}


class Controllers:
    """Stands in for cert-manager and for a Gateway's controller."""

    def __init__(self, walk: Walk) -> None:
        self._cluster = walk.cluster

    def issue(self, name: str = "air") -> None:
        """The certificate is there."""
        live = self._cluster.require("Certificate", name)
        issued = _condition("Ready", "True", "Ready", "up to date", live["metadata"]["generation"])
        self._status("Certificate", name, {"conditions": [issued], "notAfter": "2027-01-01T00:00:00Z"})

    def take_up(self, kind: str, name: str, *, refused: str = "") -> None:
        """Listeners or a route; ``refused`` is the reason why not."""
        generation = self._cluster.require(kind, name)["metadata"]["generation"]
        accepted = _condition("Accepted", "False" if refused else "True", refused or "Accepted", "so it is", generation)
        if kind in ("Gateway", "ListenerSet"):
            programmed = _condition("Programmed", "True", "Programmed", "", generation)
            self._status(kind, name, {"conditions": [accepted, programmed]})
            return
        of = {"controllerName": "example.com/controller", "conditions": [accepted]}
        if kind.endswith("Policy"):
            self._status(kind, name, {"ancestors": [{**of, "ancestorRef": {"name": "city"}}]})
        else:
            self._status(kind, name, {"parents": [{**of, "parentRef": {"name": "city"}}]})

    def _status(self, kind: str, name: str, status: dict[str, Any]) -> None:
        self._cluster.patch(kind, name, {"status": status}, subresource="status")


@pytest.fixture(scope="module")
def gateway_api(kubectl: Kubectl) -> Iterator[None]:
    """The kinds are served, which the operator finds within ten seconds, and there is a Gateway."""
    with upstream.installed(kubectl, upstream.CERTIFICATE, *upstream.GATEWAY_API, *upstream.ENVOY_GATEWAY):
        _make_gateway(kubectl)
        yield


def _make_gateway(kubectl: Kubectl) -> None:
    kubectl.run("create", "namespace", _SHARED["namespace"])
    listener = {"name": "health", "protocol": "HTTP", "port": 8081}
    spec = {"gatewayClassName": "envoy", "listeners": [listener]}
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": _SHARED, "spec": spec}
    kubectl("apply", "--server-side", "--filename=-", manifest=gateway)


@pytest.fixture
def controllers(walk: Walk) -> Controllers:
    return Controllers(walk)


def _appear(walk: Walk, *children: tuple[str, str]) -> None:
    def check() -> None:
        for child in children:
            walk.cluster.require(*child)

    eventually(check, seconds=_LOOK_SECONDS)


def _becomes_ready(walk: Walk, controllers: Controllers, *listeners: tuple[str, str]) -> None:
    def issued() -> None:
        walk.kubelet.run()
        walk.kubelet.end_schema_jobs()
        walk.cluster.require("Certificate", "air")

    eventually(issued, seconds=_LOOK_SECONDS)
    controllers.issue()
    walk.schema_job()
    walk.kubelet.end_schema_jobs(awaited=True)
    _appear(walk, *listeners, *_ROUTES)
    for child in (*listeners, *_ROUTES):
        controllers.take_up(*child)
    walk.becomes_ready(seconds=30)


def test_a_missing_api_is_told_and_found_when_it_comes(walk: Walk, controllers: Controllers, kubectl: Kubectl) -> None:
    walk.external(_exposed("late.example"))
    walk.schema_job()
    walk.kubelet.end_schema_jobs(awaited=True)
    walk.becomes("RoutesProgrammed", "False", "GatewayAPIMissing")
    with upstream.installed(kubectl, upstream.CERTIFICATE, *upstream.GATEWAY_API):
        _appear(walk, ("Certificate", "air"), ("ListenerSet", "air"), *_ROUTES)
        message = walk.becomes("RoutesProgrammed", "False", "GatewayMissing")
        assert "there is no Gateway city in the namespace gateways" in message
        _make_gateway(kubectl)
        message = walk.becomes("RoutesProgrammed", "False", "RoutesWaiting", seconds=_REFERENCE_SECONDS)
        assert "certificate" in message
        controllers.issue()
        message = walk.becomes("RoutesProgrammed", "False", "RoutesPending")
        assert "does it allow listeners from here" in message
    walk.becomes("RoutesProgrammed", "False", "GatewayAPIMissing", seconds=_LOOK_SECONDS)


@pytest.mark.usefixtures("gateway_api")
class TestServed:
    """With the kinds served."""

    def test_routes_are_ready_once_all_are_taken_up_and_nothing_is_written_then(
        self, walk: Walk, controllers: Controllers
    ) -> None:
        walk.external(_exposed("air.example"))
        _becomes_ready(walk, controllers, ("ListenerSet", "air"))
        assert walk.condition("RoutesProgrammed")["reason"] == "RoutesReady"
        walk.settle()
        controllers.take_up("TLSRoute", "air-mqtt", refused="NotAllowedByListeners")
        message = walk.becomes("RoutesProgrammed", "False", "RoutesRefused")
        assert message == "TLSRoute air-mqtt is not taken up: NotAllowedByListeners: so it is"
        walk.becomes("Stalled", "True", "RoutesRefused")

    def test_what_leads_to_the_service_goes_and_comes_with_the_spec(self, walk: Walk, controllers: Controllers) -> None:
        limits = {"envoyGateway": {"requestsPerMinute": 600}}
        walk.external(_exposed("own.example", className="envoy", **limits))
        policies = [(f"{kind}TrafficPolicy", "air-http") for kind in ("Client", "Backend")]
        _appear(walk, ("Certificate", "air"))
        controllers.issue()
        walk.schema_job()
        walk.kubelet.end_schema_jobs(awaited=True)
        children = (("Gateway", "air"), *_ROUTES, *policies, ("ClientTrafficPolicy", "air-mqtt"))
        _appear(walk, *children)
        for child in children:
            controllers.take_up(*child)
        walk.becomes_ready(seconds=30)
        walk.change({"exposure": {"gateway": {"envoyGateway": None}}})
        for policy in policies:
            walk.disappears(*policy)
        walk.change({"exposure": {"gateway": {"className": None, **_SHARED}}})
        walk.disappears("Gateway", "air")
        walk.appears("ListenerSet", "air")
        walk.change({"exposure": {"type": "None", "gateway": None}})
        # What is not wanted any more goes once the pods know the service's other address.
        walk.becomes_ready(seconds=30)
        for child in (("ListenerSet", "air"), *_ROUTES):
            walk.disappears(*child)

    def test_a_route_that_somebody_bends_is_put_right(self, walk: Walk, controllers: Controllers) -> None:
        walk.external(_exposed("bent.example"))
        _becomes_ready(walk, controllers, ("ListenerSet", "air"))
        walk.settle()
        walk.cluster.patch("HTTPRoute", "air-http", {"spec": {"hostnames": ["theirs.example"]}})

        def check() -> None:
            assert walk.cluster.require("HTTPRoute", "air-http")["spec"]["hostnames"] == ["bent.example"]

        eventually(check)

    def test_reads_leave_a_standby_that_is_late_and_come_back(self, walk: Walk, controllers: Controllers) -> None:
        standby = f"replica.{walk.host}"
        walk.operator.database_is(standby, role="standby", streaming=True)
        replicas = {"replicas": [{"host": standby}]}
        walk.external({**_exposed("reads.example"), "http": {"readReplicas": 1}, "database": {"external": replicas}})
        _becomes_ready(walk, controllers, ("ListenerSet", "air"))
        walk.settle()

        def read_from(backend: str) -> None:
            def check() -> None:
                reading, everything = walk.cluster.require("HTTPRoute", "air-http")["spec"]["rules"]
                assert {match["method"] for match in reading["matches"]} == {"GET", "HEAD"}
                assert reading["backendRefs"][0]["name"] == backend
                assert everything["backendRefs"][0]["name"] == "air-http"

            eventually(check)

        read_from("air-http-read")
        pods = walk.cluster.require("Deployment", "air-http-read")["metadata"]["generation"]
        walk.operator.database_is(standby, role="standby", streaming=True, position=900, replay_age_seconds=60)
        read_from("air-http")
        walk.becomes("ReadsAvailable", "True", "ReadsAtPrimary")
        walk.becomes("DatabaseReplicated", "False", "StandbyLagging")
        controllers.take_up("HTTPRoute", "air-http")
        walk.becomes("Ready", "True", "ServiceReady")
        walk.settle()
        walk.operator.restart()
        walk.settle()
        read_from("air-http")
        walk.operator.database_is(standby, role="standby", streaming=True)
        read_from("air-http-read")
        walk.becomes("ReadsAvailable", "True", "ReadsReady")
        walk.becomes("DatabaseReplicated", "True", "StandbysStreaming")
        assert walk.cluster.require("Deployment", "air-http-read")["metadata"]["generation"] == pods, "no pod rolled"

    def test_a_host_is_the_older_services_until_that_goes(self, walk: Walk, controllers: Controllers) -> None:
        walk.external(_exposed("shared.example"))
        _becomes_ready(walk, controllers, ("ListenerSet", "air"))
        walk.external(_exposed("shared.example"), name="noise")

        def migrated() -> None:
            walk.kubelet.end_schema_jobs()
            assert walk.condition("SchemaUpToDate", "noise")["status"] == "True"

        eventually(migrated)
        message = walk.becomes("RoutesProgrammed", "False", "HostTaken", name="noise")
        assert f"{walk.cluster.namespace}/air" in message
        assert walk.cluster.get("ListenerSet", "noise") is None
        walk.becomes("RoutesProgrammed", "True", "RoutesReady")
        walk.cluster.delete("SensorThingsService", "air")
        _appear(walk, ("ListenerSet", "noise"), ("TLSRoute", "noise-mqtt"))
