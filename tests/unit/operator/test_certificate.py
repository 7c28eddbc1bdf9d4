"""The Certificate, what cert-manager says of it, and what the status says of that."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.apply.children import Children
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.certificate import CERTIFICATE_READY, CertificateState
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.observed import Answer, SchemaJob
from sensorthings_operator.desired import addresses, certificate, children
from sensorthings_operator.observe.summaries import certificate as summary
from tests.unit.operator.samples import SETTINGS, child, observed, service
from tests.unit.operator.test_reconcile import SERVICE, City
from tests.unit.operator.virtual_time import on_virtual_time

_TLS: dict[str, Any] = {"host": "air.hamburg.example", "certificate": {"issuerRef": {"name": "city-ca"}}}
_READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "Certificate is up to date"}
_MISSING = {
    "type": "Ready",
    "status": "False",
    "reason": "DoesNotExist",
    "message": "Issuing certificate as Secret does not exist",
}
_EXPIRED = {"type": "Ready", "status": "False", "reason": "Expired", "message": "Certificate expired on Sunday"}
_ISSUING = {"type": "Issuing", "status": "True", "reason": "DoesNotExist", "message": "Issuing"}
_FAILED = {
    "type": "Issuing",
    "status": "False",
    "reason": "policy.example/Denied",
    "message": "The certificate request has failed to complete and will be retried: no such zone.",
}


def _live(*conditions: dict[str, Any], generation: int = 1, **status: Any) -> dict[str, Any]:
    told = {**({"conditions": list(conditions)} if conditions else {}), **status}
    return {**child("Certificate", "air", generation=generation), **({"status": told} if told else {})}


def _verdict(live: dict[str, Any] | None, **fields: Any) -> Verdict:
    seen = observed(service=service(_TLS), certificate=None if live is None else summary(live), **fields)
    return CERTIFICATE_READY.evaluate(seen)


def test_a_certificate_names_host_issuer_and_secret() -> None:
    (made,) = certificate.build(service(_TLS), SETTINGS)
    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == ("cert-manager.io/v1", "Certificate", "air")
    spec = made["spec"]
    assert spec["dnsNames"] == ["air.hamburg.example"]
    assert "commonName" not in spec, "it holds 64 characters, a host 253"
    assert spec["issuerRef"] == {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "city-ca"}
    assert spec["secretName"] == addresses.certificate_secret_name(service(_TLS)) == "air-tls"
    assert spec["privateKey"]["rotationPolicy"] == "Always"
    assert spec["secretTemplate"]["labels"]["sensorthings.city/service"] == "air"


def test_no_certificate_is_made_that_nobody_asked_for() -> None:
    assert certificate.build(service({"host": "air.hamburg.example"}), SETTINGS) == []
    assert "Certificate" not in {manifest["kind"] for manifest in children(service(), SETTINGS)}


_PARENT = "acme.cert-manager.io/http01-parentref"


@pytest.mark.parametrize(
    ("exposure", "parent"),
    [
        ({"type": "IngressNginx"}, {}),
        (
            {"type": "Gateway", "gateway": {"name": "city", "namespace": "gateways"}},
            {f"{_PARENT}kind": "ListenerSet", f"{_PARENT}name": "air"},
        ),
        (
            {"type": "Gateway", "gateway": {"className": "envoy"}},
            {f"{_PARENT}kind": "Gateway", f"{_PARENT}name": "air"},
        ),
        (
            {"type": "Gateway", "gateway": {"name": "city", "namespace": "gateways", "listeners": "Gateway"}},
            {f"{_PARENT}kind": "Gateway", f"{_PARENT}name": "city", f"{_PARENT}namespace": "gateways"},
        ),
    ],
)
def test_an_acme_challenge_is_answered_where_the_host_leads(exposure: dict[str, Any], parent: dict[str, str]) -> None:
    (made,) = certificate.build(service({**_TLS, "exposure": exposure}), SETTINGS)
    assert made["metadata"].get("annotations", {}) == parent


def test_it_is_not_looked_at_where_nobody_asked_for_it() -> None:
    assert "CertificateReady" not in evaluate(observed(missing_apis=frozenset({"Certificate"})))


@pytest.mark.parametrize(
    ("live", "holds", "state"),
    [
        (_live(), False, CertificateState.UNSEEN),
        (_live(_ISSUING), False, CertificateState.UNSEEN),
        (_live(_MISSING, _ISSUING), False, CertificateState.ISSUING),
        (_live(_MISSING), False, CertificateState.ISSUING),
        (_live(_MISSING, _FAILED), False, CertificateState.FAILED),
        (_live(_READY), True, CertificateState.ISSUED),
        (_live(_READY, _ISSUING), True, CertificateState.ISSUED),
        (_live(_READY, _FAILED), True, CertificateState.RENEWAL_FAILING),
        (_live(_EXPIRED, _ISSUING), False, CertificateState.EXPIRED),
        (_live(_EXPIRED, _FAILED), False, CertificateState.EXPIRED),
    ],
)
def test_what_cert_manager_says_is_told_apart(live: dict[str, Any], holds: bool, state: CertificateState) -> None:
    answer = summary(live)
    assert (answer.holds, answer.reason) == (holds, state)


@given(st.integers(0, 3), st.integers(1, 3))
def test_what_was_said_of_an_older_spec_counts_no_more(seen: int, generation: int) -> None:
    """The certificate is still good for the host before; not for the one that is asked for now."""
    answer = summary(_live({**_READY, "observedGeneration": seen}, generation=generation))
    assert answer.holds == (seen >= generation)
    assert (answer.reason == CertificateState.UNSEEN) != answer.holds


_END = "2027-02-01T00:00:00Z"
_CASES: list[Any] = [
    (None, "False", "CertificateIssuing", True, "about to be made"),
    (_live(), "False", "CertificateIssuing", True, "look whether its pods run"),
    (
        _live(_MISSING, _ISSUING),
        "False",
        "CertificateIssuing",
        True,
        "Issuing certificate as Secret does not exist. If",
    ),
    (_live(_MISSING, _FAILED), "False", "CertificateFailed", False, "policy.example/Denied: The certificate request"),
    (_live(_EXPIRED, _FAILED), "False", "CertificateExpired", False, "no such zone. Look"),
    (_live(_EXPIRED, _ISSUING), "False", "CertificateExpired", False, "expired on Sunday"),
    (_live(_READY, _FAILED), "True", "CertificateRenewalFailing", False, "no such zone. Look"),
    (
        _live(_READY, notAfter=_END),
        "True",
        "CertificateIssued",
        False,
        f"issued for air.hamburg.example, valid until {_END}",
    ),
    (
        _live(_READY, notAfter=_END, renewalTime="2027-01-01T00:00:00Z"),
        "True",
        "CertificateIssued",
        False,
        f"valid until {_END}, to be renewed from 2027-01-01T00:00:00Z on",
    ),
    (
        _live(_READY, _FAILED, notAfter=_END),
        "True",
        "CertificateRenewalFailing",
        False,
        f"issued and valid until {_END}, but not renewed: policy.example/Denied",
    ),
]


@pytest.mark.parametrize(("live", "status", "reason", "expected", "words"), _CASES)
def test_the_status_says_it_in_the_words_of_cert_manager(
    live: dict[str, Any] | None, status: str, reason: str, expected: bool, words: str
) -> None:
    verdict = _verdict(live)
    assert (verdict.status, verdict.reason, verdict.expected) == (status, reason, expected)
    assert words in verdict.message


@pytest.mark.parametrize("live", [_live(_MISSING, _ISSUING), _live(_MISSING, _FAILED), _live(_READY, _FAILED)])
def test_who_should_have_answered_is_named(live: dict[str, Any]) -> None:
    assert "ClusterIssuer city-ca" in _verdict(live).message
    assert "CertificateRequests of Certificate air" in _verdict(live).message


def test_a_cluster_without_cert_manager_is_told_before_anything_else() -> None:
    verdict = _verdict(_live(_READY), missing_apis=frozenset({"Certificate", "PodMonitor"}))
    assert (verdict.status, verdict.reason) == ("False", "CertManagerMissing")
    assert "install cert-manager" in verdict.message


def test_another_api_that_is_missing_is_not_its_concern() -> None:
    assert _verdict(_live(_READY), missing_apis=frozenset({"PodMonitor"})).holds


def test_a_service_waits_for_its_certificate() -> None:
    verdicts = evaluate(observed(service=service(_TLS), certificate=summary(_live(_MISSING, _ISSUING))))
    assert (verdicts["Ready"].status, verdicts["Ready"].reason) == ("False", "CertificateIssuing")
    assert verdicts["Reconciling"].holds
    issued = evaluate(observed(service=service(_TLS), certificate=summary(_live(_READY))))
    assert issued["Ready"].holds


@pytest.mark.parametrize(
    ("fields", "awaited"),
    [
        ({}, "certificate"),
        ({"schema": SchemaJob("Running")}, "schema"),
        ({"schema": None}, "schema"),
        ({"service": service()}, "schema"),
        ({"certificate": Answer(True, CertificateState.ISSUED, "valid")}, "schema"),
    ],
    ids=str,
)
def test_mqtt_says_what_it_waits_for(fields: dict[str, Any], awaited: str) -> None:
    seen = {"service": service(_TLS), "certificate": summary(_live(_MISSING)), "mqtt": None, "http": None, **fields}
    verdicts = evaluate(observed(**seen))
    assert verdicts["MQTTAvailable"].message == f"MQTT waits for the {awaited}"
    assert verdicts["HTTPAvailable"].message == "HTTP waits for the schema"


@given(st.text(max_size=2000))
def test_long_words_of_others_are_cut(message: str) -> None:
    assert len(summary(_live(_MISSING, {**_FAILED, "message": message})).message) <= 500


@on_virtual_time
async def test_mqtt_is_made_once_its_certificate_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    city = _city_with(monkeypatch, {"Certificate"})
    await _some_passes(city)
    assert city.conditions()["CertificateReady"] == "False"
    assert ("Deployment", "air-http") in city.api.objects
    assert ("Deployment", "air-mqtt") not in city.api.objects, "its pods would wait for a Secret that is not there"
    _issue(city, "True")
    await _some_passes(city)
    assert ("Deployment", "air-mqtt") in city.api.objects
    assert city.conditions()["Ready"] == "True"
    _issue(city, "False")
    await _some_passes(city)
    assert ("Deployment", "air-mqtt") in city.api.objects
    assert city.conditions()["Ready"] == "False"
    await city.probes.close()


@on_virtual_time
async def test_a_cluster_that_gets_cert_manager_later(monkeypatch: pytest.MonkeyPatch) -> None:
    served: set[str] = set()
    city = _city_with(monkeypatch, served)
    await _some_passes(city)
    assert city.reasons()["CertificateReady"] == "CertManagerMissing"
    assert ("Certificate", "air") not in city.api.objects
    served.add("Certificate")
    await _some_passes(city)
    _issue(city, "True")
    await _some_passes(city)
    assert city.conditions()["Ready"] == "True"
    await city.probes.close()


class _City(City):
    def reasons(self) -> dict[str, str]:
        """Reasons by type."""
        return {c["type"]: c["reason"] for c in self.api.objects[SERVICE]["status"]["conditions"]}


def _city_with(monkeypatch: pytest.MonkeyPatch, served: set[str]) -> _City:
    """A service that wants a certificate, in a cluster that serves these optional kinds."""

    def children_there(client: Any, store: Any, **given: Any) -> Children:
        return Children(client, store, **{**given, "served": served})

    monkeypatch.setattr("sensorthings_operator.reconcile.Children", children_there)
    return _City(_TLS)


async def _some_passes(city: _City) -> None:
    for _ in range(6):
        await city.look()
        city.succeed()
        await asyncio.sleep(6)
    await city.look()


def _issue(city: _City, status: str) -> None:
    live = city.api.objects["Certificate", "air"]
    live["status"] = {"conditions": [{**_READY, "status": status}], "notAfter": "2027-02-01T00:00:00Z"}
    city.api.touch(live)
