"""Every judgement of ``sensorthings doctor``: a chain that is well, and one thing after the other wrong with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.cli.doctor.clock import Offset
from sensorthings_operator.cli.doctor.findings import Finding, State, record, well
from sensorthings_operator.cli.doctor.judging import judge
from sensorthings_operator.cli.doctor.observed import (
    Adapter,
    Condition,
    Handshake,
    Observed,
    Reply,
    Said,
    Subject,
    Token,
)
from sensorthings_operator.cli.doctor.token import Claims
from sensorthings_operator.cli.doctor.tokenjudging import judged_at
from sensorthings_operator.cli.tls import Failure

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CLIENT = "sensorthings-hamburg-air"
ISSUER = "https://id.city.example/realms/city"
URL = "https://iot.city.example/FROST-Server/v1.1"
BROKER = "mqtts://iot.city.example:8883"
WEB_SOCKET = "wss://iot.city.example/mqtt"
HERE = Offset(-0.4, 0.7)
DOWN = Failure("Nothing answers", "Start it.")

SUBJECT = Subject(
    namespace="hamburg",
    name="air",
    auth="Keycloak",
    realm="city",
    anonymous_read=True,
    publishing=False,
    url=URL,
    broker=BROKER,
    web_socket=WEB_SOCKET,
    conditions={
        "Ready": Condition("True", "ServiceReady", "all is well"),
        "AuthConfigured": Condition("True", "ClientReady", "there it is"),
    },
)
ADAPTER = Adapter("ConfigMap air-keycloak", "https://id.city.example", "city", CLIENT, "")
CLAIMS = Claims(
    type="Bearer",
    issuer=ISSUER,
    audience=(CLIENT,),
    roles={CLIENT: ("read", "create")},
    expires=NOW + timedelta(seconds=200),
    not_before=None,
    issued=NOW - timedelta(seconds=100),
    authorized="counter",
    account="counter",
)
TOKEN = Token(
    "Secret counter-token",
    claims=CLAIMS,
    wanted=("read", "create"),
    posted=Reply(f"{URL}/Things", 400),
    said=Said(BROKER, connected=0),
)


def handshake(where: str, begins: datetime | None = None, ends: datetime | None = None) -> Handshake:
    return Handshake(where, begins or NOW - timedelta(days=30), ends or NOW + timedelta(days=60))


WELL = Observed(
    now=NOW,
    subject=SUBJECT,
    adapter=ADAPTER,
    keycloak=handshake("id.city.example:443"),
    discovery=Reply(f"{ISSUER}/.well-known/openid-configuration", 200, HERE, ISSUER),
    https=handshake("iot.city.example:443"),
    root=Reply(URL, 200, HERE),
    read=Reply(f"{URL}/Things", 200),
    write=Reply(f"{URL}/Things", 401),
    mqtts=handshake("iot.city.example:8883"),
    anonymous=Said(BROKER, connected=0, subscribed=1, published=0x87),
    web_socket=Said(WEB_SOCKET, connected=0),
    token=TOKEN,
)
PRIVATE = replace(
    WELL,
    subject=replace(SUBJECT, anonymous_read=False),
    root=Reply(URL, 401, HERE),
    read=Reply(f"{URL}/Things", 401),
    anonymous=Said(BROKER, connected=0x87, ended=0),
)
OPEN = replace(
    WELL,
    subject=replace(SUBJECT, auth="None", realm="", publishing=True),
    adapter=None,
    keycloak=None,
    discovery=None,
    write=Reply(f"{URL}/Things", 400),
    anonymous=Said(BROKER, connected=0, subscribed=1, published=0x99),
    token=None,
)


def found(observed: Observed, check: str) -> Finding:
    (finding,) = [each for each in judge(observed) if each.check == check]
    return finding


def token(**changes: Any) -> Observed:
    return replace(WELL, token=replace(TOKEN, **changes))


def claims(**changes: Any) -> Observed:
    return token(claims=replace(CLAIMS, **changes))


def subject(**changes: Any) -> Observed:
    return replace(WELL, subject=replace(SUBJECT, **changes))


def condition(type_: str, *told: str) -> Observed:
    return subject(conditions={**SUBJECT.conditions, type_: Condition(*told)})


@pytest.mark.parametrize("observed", [WELL, PRIVATE, OPEN], ids=["well", "private", "open"])
def test_a_chain_that_is_well(observed: Observed) -> None:
    findings = judge(observed)
    assert [each for each in findings if each.state is State.PROBLEM] == []
    assert well(findings)
    assert len({each.check for each in findings}) == len(findings)


def test_the_checks_of_a_chain_that_is_well_and_their_order() -> None:
    assert [each.check for each in judge(WELL)] == [
        "service", "client", "configuration",
        "keycloak-certificate", "issuer", "keycloak-clock",
        "https-certificate", "http", "service-clock", "clocks", "anonymous-read", "anonymous-write",
        "mqtt-certificate", "mqtt", "anonymous-subscribe", "anonymous-publish", "websocket",
        "token", "token-issuer", "token-audience", "token-roles", "token-lifetime", "token-http", "token-mqtt",
    ]  # fmt: skip


WRONG: list[tuple[Observed, str, str, str]] = [
    # The service and its client.
    (subject(conditions={}), "service", "no operator has looked", "running"),
    (condition("Ready", "False", "Stalled", "the database"), "service", "Stalled: the database", "sensorthings status"),
    (
        condition("AuthConfigured", "False", "RealmMissing", "make it"),
        "client",
        "RealmMissing: make it",
        "conditions.md",
    ),
    (subject(conditions={"Ready": Condition("True", "", "")}), "client", "has not said", "running"),
    (replace(WELL, adapter=None, no_adapter="there is none"), "configuration", "there is none", "keycloakRealms"),
    (replace(WELL, adapter=replace(ADAPTER, client_id="x")), "configuration", "for client x", "air-keycloak"),
    # Keycloak.
    (replace(WELL, keycloak=Handshake("id:443", failure=DOWN)), "keycloak-certificate", "Nothing answers", "ca.crt"),
    (replace(WELL, discovery=Reply(ISSUER, failure=DOWN)), "issuer", "Nothing answers", "Start it."),
    (replace(WELL, discovery=Reply(ISSUER, 404)), "issuer", "no such realm", "sensorthings realm"),
    (replace(WELL, discovery=Reply(ISSUER, 503)), "issuer", "503", "keycloakRealms"),
    (replace(WELL, discovery=Reply(ISSUER, 200)), "issuer", "no discovery document", "keycloakRealms"),
    (replace(WELL, discovery=Reply(ISSUER, 200, None, "http://x")), "issuer", "tokens name http://x", "--hostname"),
    (replace(WELL, discovery=Reply(ISSUER, 200, Offset(30, 31), ISSUER)), "keycloak-clock", "30 s ahead of", "NTP"),
    # HTTP.
    (replace(WELL, https=Handshake("iot:443", failure=DOWN)), "https-certificate", "Nothing answers", "Start it."),
    (replace(WELL, root=Reply(URL, failure=DOWN)), "http", "Nothing answers", "Start it."),
    (replace(WELL, root=Reply(URL, 503)), "http", "503", "ready"),
    (replace(WELL, root=Reply(URL, 404)), "http", "404", "RoutesProgrammed"),
    (replace(WELL, root=Reply(URL, 401)), "http", "401", "log"),
    (replace(WELL, root=Reply(URL, 200, Offset(-90, -89))), "service-clock", "89 s behind", "NTP"),
    (replace(WELL, root=Reply(URL, 200, Offset(-90, -89))), "clocks", "89 s ahead of", "NTP"),
    (replace(WELL, read=Reply(URL, 401)), "anonymous-read", "anonymousRead is true", "log"),
    (replace(WELL, read=Reply(URL, 500)), "anonymous-read", "500", "ready"),
    (replace(PRIVATE, read=Reply(URL, 200)), "anonymous-read", "everybody can read", "rolled"),
    (replace(WELL, write=Reply(URL, 400)), "anonymous-write", "everybody can write", "Shut its route"),
    (replace(WELL, write=Reply(URL, 201)), "anonymous-write", "everybody can write", "Shut its route"),
    (replace(WELL, write=Reply(URL, 302)), "anonymous-write", "logging in", "bearer-only"),
    (replace(WELL, write=Reply(URL, 500)), "anonymous-write", "500", "ready"),
    # MQTT.
    (replace(WELL, mqtts=Handshake("iot:8883", failure=DOWN)), "mqtt-certificate", "Nothing answers", "Start it."),
    (replace(WELL, anonymous=Said(BROKER, failure=DOWN)), "mqtt", "Nothing answers", "Start it."),
    (replace(WELL, anonymous=Said(BROKER, 0, 0x87, 0x87)), "anonymous-subscribe", "0x87 not authorized", "rolled"),
    (replace(WELL, anonymous=Said(BROKER, 0x87, ended=0)), "anonymous-subscribe", "with the connection", "rolled"),
    (replace(WELL, anonymous=Said(BROKER, 0)), "anonymous-subscribe", "not answered", "rolled"),
    (replace(PRIVATE, anonymous=Said(BROKER, 0)), "anonymous-subscribe", "not answered", "rolled"),
    (replace(PRIVATE, anonymous=Said(BROKER, 0, 1, 0x87)), "anonymous-subscribe", "granted", "rolled"),
    (replace(WELL, anonymous=Said(BROKER, 0, 1, 0)), "anonymous-publish", "granted", "Shut its route"),
    (replace(WELL, anonymous=Said(BROKER, 0, 1, 0x99)), "anonymous-publish", "not for want of a right", "gate"),
    (replace(WELL, anonymous=Said(BROKER, 0, 1)), "anonymous-publish", "not answered", "log"),
    (replace(WELL, web_socket=Said(WEB_SOCKET, failure=DOWN)), "websocket", "Nothing answers", "Start it."),
    (replace(WELL, web_socket=Said(WEB_SOCKET, ended=0)), "websocket", "ended the connection", "log"),
    # The token.
    (replace(WELL, token=Token("FILE", unreadable="is none", remedy="Get one.")), "token", "FILE: is none", "Get one."),
    (claims(type="Refresh"), "token", "Refresh", "access_token"),
    (claims(issuer="http://id.city.example/realms/city"), "token-issuer", "the pods expect https", "that URL"),
    (claims(audience=("account",)), "token-audience", "for account, and not for", "a role of this one"),
    (claims(audience=()), "token-audience", "for nobody", "a role of this one"),
    (claims(roles={CLIENT: ("read",)}), "token-roles", "asks for create", "conditions"),
    (token(wanted=(), claims=replace(CLAIMS, roles={"b": ("create",)})), "token-roles", "(none)", "give the account"),
    (
        token(wanted=(), claims=replace(CLAIMS, roles={CLIENT: ("dance",)})),
        "token-roles",
        "(dance)",
        "give the account",
    ),
    (claims(expires=None), "token-lifetime", "no end", "Keycloak"),
    (claims(expires=NOW - timedelta(minutes=5)), "token-lifetime", "ended 300 s ago", "renewed it"),
    (claims(issued=NOW + timedelta(seconds=90)), "token-lifetime", "begins in 90 s", "NTP"),
    (claims(not_before=NOW + timedelta(seconds=90)), "token-lifetime", "begins in 90 s", "NTP"),
    (token(posted=Reply(URL, failure=DOWN)), "token-http", "Nothing answers", "Start it."),
    (token(posted=Reply(URL, 401)), "token-http", "not accepted", "reach Keycloak"),
    (token(posted=Reply(URL, 403)), "token-http", "though it carries the role create", "rolled"),
    (token(posted=Reply(URL, 500)), "token-http", "500", "reach Keycloak"),
    (claims(roles={CLIENT: ("read",)}), "token-http", "whoever has a token can write", "Shut its route"),
    (token(said=Said(BROKER, failure=DOWN)), "token-mqtt", "Nothing answers", "Start it."),
    (token(said=Said(BROKER, ended=0)), "token-mqtt", "ended the connection", "log"),
    (token(said=Said(BROKER, 0x86, ended=0)), "token-mqtt", "0x86 bad user name", "checks above"),
    (token(said=Said(BROKER, 0x88, ended=0)), "token-mqtt", "0x88", "reach Keycloak"),
    (token(said=Said(BROKER, 0xA5)), "token-mqtt", "0xA5", "checks above"),
]


@pytest.mark.parametrize(("observed", "check", "said", "remedy"), WRONG, ids=[f"{w[1]}-{w[2]}" for w in WRONG])
def test_what_is_wrong_is_told_with_a_remedy(observed: Observed, check: str, said: str, remedy: str) -> None:
    finding = found(observed, check)
    assert finding.state is State.PROBLEM
    assert said in finding.message
    assert remedy in finding.remedy
    assert not well(judge(observed))


RIGHT: list[tuple[Observed, str, str]] = [
    (OPEN, "anonymous-write", "lets everybody write"),
    (OPEN, "anonymous-publish", "lets everybody publish"),
    (replace(OPEN, subject=replace(OPEN.subject, publishing=False), anonymous=Said(BROKER, 0, 1, 0x87)),
     "anonymous-publish", "refused (0x87"),
    (PRIVATE, "http", "answers 401"),
    (replace(PRIVATE, web_socket=Said(WEB_SOCKET, 0x87, ended=0)), "websocket", "answers"),
    (PRIVATE, "anonymous-subscribe", "with the connection"),
    (PRIVATE, "anonymous-publish", "with the connection"),
    (replace(WELL, anonymous=Said(BROKER, 0, 1, ended=0)), "anonymous-publish", "ends the connection"),
    (replace(WELL, anonymous=Said(BROKER, 0, 1, ended=0x87)), "anonymous-publish", "(0x87 not authorized)"),
    (replace(WELL, write=Reply(URL, 403)), "anonymous-write", "refused"),
    (token(claims=replace(CLAIMS, roles={CLIENT: ("read",)}), posted=Reply(URL, 403)), "token-http", "may not"),
    (claims(account="", authorized="map"), "token", "of a person, by application map"),
    (claims(account="", authorized="map"), "token-mqtt", "may not publish"),
    (claims(issued=NOW + timedelta(seconds=30)), "token-lifetime", "200 s of 170 s"),
]  # fmt: skip


@pytest.mark.parametrize(("observed", "check", "said"), RIGHT, ids=[f"{r[1]}-{r[2]}" for r in RIGHT])
def test_what_is_right_though_it_differs(observed: Observed, check: str, said: str) -> None:
    finding = found(observed, check)
    assert finding.state is State.OK, finding
    assert said in finding.message


SKIPPED: list[tuple[Observed, str]] = [
    (OPEN, "client"),
    (condition("AuthConfigured", "Unknown", "KeycloakNotAsked", "not asked yet"), "client"),
    (replace(WELL, root=None), "http"),
    (replace(WELL, anonymous=None), "mqtt"),
    (replace(WELL, mqtts=None), "mqtt-certificate"),
    (replace(WELL, adapter=None), "token-issuer"),
    (token(posted=None), "token-http"),
    (token(said=None), "token-mqtt"),
]


@pytest.mark.parametrize(("observed", "check"), SKIPPED, ids=[each[1] for each in SKIPPED])
def test_what_could_not_be_looked_at_is_said(observed: Observed, check: str) -> None:
    finding = found(observed, check)
    assert finding.state is State.SKIPPED
    assert finding.message


@pytest.mark.parametrize(
    ("life", "left", "state"),
    [
        (timedelta(days=90), timedelta(days=15), State.OK),
        (timedelta(days=90), timedelta(days=13), State.PROBLEM),
        (timedelta(days=365), timedelta(days=30), State.OK),
        (timedelta(days=1), timedelta(hours=5), State.OK),
        (timedelta(days=1), timedelta(hours=3), State.PROBLEM),
    ],
)
def test_a_certificate_is_told_of_that_should_have_been_renewed(life: timedelta, left: timedelta, state: State) -> None:
    observed = replace(WELL, https=handshake("iot:443", begins=NOW + left - life, ends=NOW + left))
    assert found(observed, "https-certificate").state is state


@given(ahead=st.floats(min_value=-3600, max_value=3600), left=st.floats(min_value=-3600, max_value=3600))
def test_a_token_is_judged_by_the_clock_of_the_service(ahead: float, left: float) -> None:
    at = replace(WELL, root=Reply(URL, 200, Offset(ahead - 0.5, ahead + 0.5)))
    there = judged_at(at)
    assert abs((there - NOW).total_seconds() - ahead) < 1e-3
    ends = there + timedelta(seconds=left)
    life = replace(CLAIMS, expires=ends, issued=ends - timedelta(seconds=7200))
    finding = found(replace(at, token=replace(TOKEN, claims=life)), "token-lifetime")
    assert (finding.state is State.OK) == ((ends - there).total_seconds() > 0)


@given(one=st.floats(min_value=-100, max_value=100), width=st.floats(min_value=1, max_value=30))
def test_clocks_that_may_agree_are_never_told_of(one: float, width: float) -> None:
    observed = replace(WELL, root=Reply(URL, 200, Offset(one, one + width)))
    wrong = found(observed, "service-clock").state is State.PROBLEM
    assert wrong == (one > 10 or one + width < -10)


@given(name=st.text(max_size=300))
def test_names_in_a_token_are_told_without_line_breaks(name: str) -> None:
    observed = token(claims=replace(CLAIMS, issuer=name, audience=(name,), authorized=name, roles={CLIENT: (name,)}))
    for finding in judge(observed):
        assert (finding.message + finding.remedy).isprintable()


def test_the_json_of_findings() -> None:
    findings = judge(claims(type="ID"))
    written = record("hamburg/air", findings)
    assert (written["service"], written["ok"]) == ("hamburg/air", False)
    assert written["checks"][0] == {
        "check": "service", "state": "ok", "message": "hamburg/air is Ready", "remedy": ""
    }  # fmt: skip
    assert {each["state"] for each in written["checks"]} == {"ok", "problem"}


def test_the_subject_is_read_from_an_object() -> None:
    live = {
        "metadata": {"namespace": "hamburg", "name": "air"},
        "spec": {"auth": {"type": "Keycloak", "keycloak": {"realm": "city"}}},
    }
    read = Subject.of(live)
    assert (read.realm, read.anonymous_read, read.publishing, read.url, read.broker) == ("city", True, False, "", "")
    assert read.client_id == CLIENT


@pytest.mark.parametrize("data", [None, {}, {"keycloak.json": "{}"}, {"keycloak.json": "x"}, {"keycloak.json": "[]"}])
def test_an_adapter_that_is_not_the_operators(data: dict[str, str] | None) -> None:
    with pytest.raises(ValueError, match=r"ConfigMap air-keycloak holds no keycloak\.json"):
        Adapter.of({"metadata": {"name": "air-keycloak"}, "data": data})
