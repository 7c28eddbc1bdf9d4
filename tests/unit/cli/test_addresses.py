"""Addresses that people type: what is read, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl, entity_id, located_id
from sensorthings_operator.desired.entities import key

hosts = st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z][a-z0-9]{0,20}){0,2}", fullmatch=True)
ports = st.integers(min_value=1, max_value=65535)
roots = st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,10}", fullmatch=True), max_size=3)
entity_ids = st.one_of(st.integers(min_value=0), st.text(min_size=1).filter(lambda text: not text.isdecimal()))


@given(scheme=st.sampled_from(["http", "https"]), host=hosts, port=ports, root=roots, slash=st.sampled_from(["", "/"]))
def test_service_url_is_read_whole(scheme: str, host: str, port: int, root: list[str], slash: str) -> None:
    text = f"{scheme}://{host}:{port}/{''.join(part + '/' for part in root)}v1.1"
    service = ServiceUrl.parse(text + slash)
    assert service.root == URL(text)
    assert service.version == "v1.1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with http:// or https://"),
        ("127.0.0.1:8080/FROST-Server/v1.1", "http"),
        ("mqtt://127.0.0.1/v1.1", "begins with http:// or https://"),
        ("http://127.0.0.1:8080/FROST-Server", "does not end in the version"),
        ("http://127.0.0.1:99999/v1.1", "write it like"),
        ("http:///v1.1", "write it like"),
        ("http://user:secret@host/v1.1", "user or a password"),
    ],
)
def test_wrong_service_url_says_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        ServiceUrl.parse(text)
    assert "secret" not in str(refused.value)


@given(root=roots, resource=st.sampled_from(["Things", "Datastreams(1)/Observations"]), skip=st.integers(0, 10**6))
def test_next_link_leads_to_where_the_service_is_reached(root: list[str], resource: str, skip: int) -> None:
    service = ServiceUrl.parse("http://127.0.0.1:8080/FROST-Server/v1.1")
    query = f"$skip={skip}&$orderby=%40iot.id+asc&$filter=name%20eq%20%27a%26b%27"
    public = f"https://iot.city.example/{''.join(part + '/' for part in root)}v1.1/{resource}?{query}"
    assert str(service.here(public)) == f"http://127.0.0.1:8080/FROST-Server/v1.1/{resource}?{query}"


def test_next_link_keeps_a_version_inside_the_root() -> None:
    service = ServiceUrl.parse("http://127.0.0.1/v1.1/city/v1.1")
    assert str(service.here("http://iot.city.example/v1.1/city/v1.1/Things?$skip=2")).endswith(
        "/v1.1/city/v1.1/Things?$skip=2"
    )


def test_next_link_without_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not hold the version 'v1\.1'"):
        ServiceUrl.parse("http://127.0.0.1/v1.1").here("http://iot.city.example/v1.0/Things")


def test_query_is_readable_and_has_no_plus() -> None:
    url = ServiceUrl.parse("http://127.0.0.1/v1.1").at("Things", {"$filter": "name eq 'a&b+c'", "$select": "id,name"})
    assert str(url) == "http://127.0.0.1/v1.1/Things?$filter=name%20eq%20'a%26b%2Bc'&$select=id,name"


@given(scheme=st.sampled_from(["mqtt", "mqtts", "ws", "wss"]), host=hosts, port=st.none() | ports)
def test_broker_url_round_trips(scheme: str, host: str, port: int | None) -> None:
    broker = BrokerUrl.parse(f"{scheme}://{host}{'' if port is None else f':{port}'}")
    assert (broker.host, broker.port) == (host, port or {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}[scheme])
    assert BrokerUrl.parse(str(broker)) == broker
    assert str(broker).startswith(f"{scheme}://")
    assert broker.tls is (scheme in {"mqtts", "wss"})
    assert broker.path == ("" if scheme.startswith("mqtt") else "/mqtt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ssl://host", "begins with mqtt:// or mqtts:// or ws:// or wss://"),
        ("host:1883", "begins with mqtt://"),
        ("mqtts://host/topic", "has a path"),
        ("mqtt://host/topic", "has a path"),
        ("mqtt://user:secret@host", "user or a password"),
        ("mqtt://host:0", "write it like"),
    ],
)
def test_wrong_broker_url_says_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        BrokerUrl.parse(text)
    assert "secret" not in str(refused.value)


@given(entity_ids)
def test_location_of_an_entity_gives_its_id_back(identifier: int | str) -> None:
    assert located_id(f"http://iot.city.example/v1.1/{key('Things', identifier)}") == identifier


def test_location_without_key_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end in the key"):
        located_id("http://iot.city.example/v1.1/Things")


@given(st.integers(min_value=0))
def test_typed_number_is_a_number(number: int) -> None:
    assert entity_id(str(number)) == number


@pytest.mark.parametrize("text", ["a1", "-1", "1.5", "²"])
def test_anything_else_typed_stays_text(text: str) -> None:
    assert entity_id(text) == text


def test_topic_of_observations() -> None:
    service = ServiceUrl.parse("http://127.0.0.1/v1.1")
    assert service.observations_topic(7) == "v1.1/Datastreams(7)/Observations"
    assert service.observations_topic("a'b") == "v1.1/Datastreams('a''b')/Observations"
