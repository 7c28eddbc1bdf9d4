"""What a spec refers to: looked for where something needs it, told of where it is not there."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.resources import Resource
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.gatewayroutes import GatewayState
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.observe import references
from tests.unit.operator.samples import observed, service
from tests.unit.operator.virtual_time import run

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

_ISSUED = Answer(holds=True, reason="Issued", message="valid")
_ISSUING = Answer(holds=False, reason="Issuing", message="cert-manager is at work")
_PENDING = Answer(holds=False, reason=GatewayState.PENDING, message="")


class FakeClient:
    """Has some objects, by path."""

    def __init__(self, **objects: dict[str, Any] | ApiError) -> None:
        self._objects = objects
        self.asked: list[str] = []

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        self.asked.append(resource.path(namespace, name))
        found = self._objects.get(resource.kind, NotFoundError(404, "NotFound", "no"))
        if isinstance(found, ApiError):
            raise found
        return found


def _service(exposure: dict[str, Any], kind: str = "ClusterIssuer") -> Any:
    certificate = {"issuerRef": {"kind": kind, "name": "letsencrypt"}}
    return service({"host": "air.hamburg.example", "exposure": exposure, "certificate": certificate})


_INGRESS = {"type": "IngressNginx", "ingressNginx": {"className": "public"}}
_GATEWAY = {"type": "Gateway", "gateway": {"name": "city", "namespace": "gateways"}}


def _look(client: FakeClient, seen: Observed) -> Observed:
    return replace(seen, references=run(references.look(cast("KubernetesClient", client), seen)))


def _ingress(certificate: Answer = _ISSUED, *, taken: bool = False, kind: str = "ClusterIssuer") -> Observed:
    ingresses = {"air-http": taken, "air-mqtt-websocket": taken}
    port = Answer(holds=True, reason="RoutesReady", message="")
    return observed(service=_service(_INGRESS, kind), certificate=certificate, ingresses=ingresses, mqtt_port=port)


def test_nothing_is_looked_for_where_all_is_well() -> None:
    client = FakeClient()
    assert _look(client, _ingress(taken=True)).references == {}
    assert client.asked == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("ClusterIssuer", "/apis/cert-manager.io/v1/clusterissuers/letsencrypt"),
        ("Issuer", "/apis/cert-manager.io/v1/namespaces/hamburg/issuers/letsencrypt"),
    ],
)
def test_an_issuer_that_does_not_exist(kind: str, path: str) -> None:
    client = FakeClient()
    seen = _look(client, _ingress(_ISSUING, taken=True, kind=kind))
    assert client.asked == [path]
    verdicts = evaluate(seen)
    assert verdicts["CertificateReady"].reason == "IssuerMissing"
    assert f"there is no {kind} letsencrypt" in verdicts["CertificateReady"].message
    assert verdicts["Stalled"].reason == "IssuerMissing"


def test_an_issuer_that_can_not_issue_is_told_in_its_words() -> None:
    condition = {"type": "Ready", "status": "False", "reason": "ErrRegisterACMEAccount", "message": "no such host."}
    client = FakeClient(ClusterIssuer={"status": {"conditions": [condition]}})
    verdict = evaluate(_look(client, _ingress(_ISSUING, taken=True)))["CertificateReady"]
    assert verdict.reason == "IssuerNotReady"
    assert "ErrRegisterACMEAccount: no such host: mend it" in verdict.message


def test_an_issuer_that_is_ready_says_nothing() -> None:
    client = FakeClient(ClusterIssuer={"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    assert evaluate(_look(client, _ingress(_ISSUING, taken=True)))["CertificateReady"].reason == "CertificateIssuing"


def test_an_ingress_class_that_does_not_exist() -> None:
    client = FakeClient()
    verdict = evaluate(_look(client, _ingress()))["RoutesProgrammed"]
    assert client.asked == ["/apis/networking.k8s.io/v1/ingressclasses/public"]
    assert verdict.reason == "IngressClassMissing"
    assert "spec.exposure.ingressNginx.className" in verdict.message


def test_a_gateway_that_does_not_exist() -> None:
    client = FakeClient()
    seen = observed(service=_service(_GATEWAY), certificate=_ISSUED, gateway_routes={("ListenerSet", "air"): _PENDING})
    verdict = evaluate(_look(client, seen))["RoutesProgrammed"]
    assert client.asked == ["/apis/gateway.networking.k8s.io/v1/namespaces/gateways/gateways/city"]
    assert (verdict.reason, verdict.expected) == ("GatewayMissing", False)
    assert "there is no Gateway city in the namespace gateways" in verdict.message


def test_who_may_not_look_says_nothing_and_other_failures_are_raised() -> None:
    forbidden = FakeClient(IngressClass=ApiError(403, "Forbidden", "no"))
    assert _look(forbidden, _ingress()).references == {}
    with pytest.raises(ApiError, match="etcd"):
        _look(FakeClient(IngressClass=ApiError(500, "InternalError", "etcd")), _ingress())
