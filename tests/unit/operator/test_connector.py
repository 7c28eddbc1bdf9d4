"""Who may feed a service, whose tokens are minted, and what a Connector's status says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.conditions import connector as conditions
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.connector import ConnectorReason, ObservedConnector, evaluate
from sensorthings_operator.conditions.observed import ApplyProblem, PodProblem
from sensorthings_operator.desired.connector.client import ConnectorClient, client_id, clients
from sensorthings_operator.desired.connector.feed import REVOKED_ANNOTATION, ROTATE_ANNOTATION
from sensorthings_operator.desired.connector.grant import refusal
from tests.unit.operator.connecting import connector, feed, keycloak_service
from tests.unit.operator.samples import workload

_NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
_FOUND = conditions.found("SensorThingsService hamburg/air")
_ISSUED = Verdict("True", ConnectorReason.TOKEN_ISSUED, "it is renewed")


def test_a_connector_of_the_same_namespace_needs_no_grant() -> None:
    assert refusal(connector({"roles": ["delete"]}), keycloak_service()) == ""


@pytest.mark.parametrize(
    ("grants", "told"),
    [
        ([], "spec.allowedConnectors"),
        ([{"namespace": "parking"}], "spec.allowedConnectors"),
        ([{"namespace": "bikes", "name": "other"}], "spec.allowedConnectors"),
        ([{"namespace": "bikes", "roles": ["read"]}], "not create"),
        ([{"namespace": "bikes"}], ""),
        (
            [{"namespace": "bikes", "roles": ["read"]}, {"namespace": "bikes", "name": "loader", "roles": ["create"]}],
            "",
        ),
    ],
)
def test_one_of_another_namespace_needs_a_grant_with_its_roles(grants: list[dict[str, object]], told: str) -> None:
    found = refusal(connector(namespace="bikes"), keycloak_service({"allowedConnectors": grants}))
    assert told in found
    assert bool(found) == bool(told)


def _devices(given: tuple[ConnectorClient, ...]) -> list[str]:
    return [each.device for each in given]


def test_each_device_has_a_client_but_those_that_are_suspended_or_revoked() -> None:
    given = feed({"devices": [{"name": "a"}, {"name": "b", "suspend": True}, {"name": "c"}]})
    assert _devices(clients(given, {})) == ["", "a", "c"]
    assert _devices(clients(given, {REVOKED_ANNOTATION: "c"})) == ["", "a"]
    assert clients(given, {REVOKED_ANNOTATION: "c, *"}) == ()
    assert clients(feed({"suspend": True}), {}) == ()
    (own,) = clients(feed(), {ROTATE_ANNOTATION: "2"})
    assert own.rotation == "2"
    assert own.client_id == "connector-hamburg-loader"


def test_a_client_gives_no_more_than_the_roles_that_are_asked_for_and_for_one_service() -> None:
    (client,) = clients(feed({"roles": ["read"]}), {})
    mapped = [config for _, config in client.mappers.values()]
    assert [config["role"] for config in mapped if "role" in config] == ["sensorthings-hamburg-air.read"]
    assert client.representation["fullScopeAllowed"] is False
    assert client.representation["serviceAccountsEnabled"] is True
    assert client.roles == {}


@given(_NAMES, _NAMES, _NAMES)
def test_a_device_is_never_taken_for_a_connector(namespace: str, name: str, device: str) -> None:
    assert "." not in client_id(namespace, name)
    assert client_id(namespace, name, device).count(".") == 1


@given(
    st.sampled_from([_FOUND, conditions.missing("it"), conditions.not_allowed("no")]),
    st.sampled_from([None, _ISSUED, conditions.suspended("so"), Verdict("False", "KeycloakUnreachable", "down")]),
    st.sampled_from([None, workload(), workload(1, available=0, ready=0)]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_kstatus(  # noqa: PLR0917 - one of each
    found: Verdict, token: Verdict | None, pods: object, troubled: bool, refused: bool, suspended: bool
) -> None:
    seen = ObservedConnector(
        connector({"suspend": suspended}),
        found,
        token,
        workload=pods,  # type: ignore[arg-type]
        pod_problems=(PodProblem("connector", "p", "ImagePullBackOff", "no"),) if troubled else (),
        apply_problems=(ApplyProblem("Deployment", "loader-connector", "ApplyRefused", "no"),) if refused else (),
    )
    verdicts = evaluate(seen)
    ready, reconciling, stalled = (verdicts[type_] for type_ in ("Ready", "Reconciling", "Stalled"))
    assert not (ready.holds and (reconciling.holds or stalled.holds))
    assert not (reconciling.holds and stalled.holds)
    assert all(verdict.message for verdict in verdicts.values())
    assert conditions.TOKEN_ISSUED not in verdicts, "the token service's own"
    if ready.holds:
        assert found.holds
        assert token is not None
        assert token.holds


def test_what_a_person_reads() -> None:
    def ready(**fields: object) -> Verdict:
        given = {"connector": connector(), "service": _FOUND, "token": _ISSUED, "workload": workload(), **fields}
        return evaluate(ObservedConnector(**given))["Ready"]  # type: ignore[arg-type]

    assert ready().reason == "ConnectorReady"
    assert ready(token=None).reason == "TokenServiceNotSeen"
    assert ready(service=conditions.missing("SensorThingsService a/b")).reason == "ServiceMissing"
    assert ready(workload=None).reason == "PodStarting"
    problem = PodProblem("connector", "loader-1", "ImagePullBackOff", "no such image")
    assert "loader-1: no such image" in ready(pod_problems=(problem,)).message
    assert ready(connector=connector({"schedule": "0 1 * * *"}), workload=None, scheduled=True).holds
    assert ready(connector=connector({"container": None, "external": True}), workload=None).holds
    assert ready(connector=connector({"suspend": True}), token=conditions.suspended("so")).expected
