"""What is read from a token, and that nothing of one that can't be read is told."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.cli.doctor.token import Claims, read

ISSUED = 1_772_366_400

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
NAMES = ["typ", "iss", "aud", "resource_access", "exp", "nbf", "iat", "azp", "client_id", "roles", "other"]
payloads = st.dictionaries(st.sampled_from(NAMES), values)


def token_of(payload: Any) -> str:
    """A token with this payload; its signature is none."""
    return ".".join(
        urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg":"RS256"}', json.dumps(payload).encode(), b"s")
    )


def test_a_token_of_keycloak() -> None:
    claims = read(
        token_of(
            {
                "typ": "Bearer",
                "iss": "https://id.city.example/realms/city",
                "aud": ["sensorthings-hamburg-air", "account"],
                "resource_access": {"sensorthings-hamburg-air": {"roles": ["create", "read"]}, "account": {}},
                "exp": ISSUED + 300,
                "iat": ISSUED,
                "nbf": 0,
                "azp": "counter",
                "client_id": "counter",
                "preferred_username": "service-account-counter",
            }
        )
    )
    assert claims == Claims(
        type="Bearer",
        issuer="https://id.city.example/realms/city",
        audience=("sensorthings-hamburg-air", "account"),
        roles={"sensorthings-hamburg-air": ("create", "read"), "account": ()},
        expires=datetime.fromtimestamp(ISSUED + 300, UTC),
        not_before=None,
        issued=datetime.fromtimestamp(ISSUED, UTC),
        authorized="counter",
        account="counter",
    )


def test_an_audience_may_be_a_single_one() -> None:
    assert read(token_of({"aud": "account"})).audience == ("account",)


@given(payload=payloads)
def test_any_payload_is_read(payload: dict[str, Any]) -> None:
    claims = read(token_of(payload))
    assert all(isinstance(each, str) for each in claims.audience)
    assert all(isinstance(role, str) for roles in claims.roles.values() for role in roles)
    for time in (claims.expires, claims.not_before, claims.issued):
        assert time is None or time.tzinfo is UTC


@given(at=st.integers(min_value=1, max_value=253402300799))
def test_every_second_is_kept(at: int) -> None:
    assert read(token_of({"exp": at})).expires == datetime.fromtimestamp(at, UTC)


@given(text=st.text().filter(lambda text: text.count(".") != 2) | st.from_regex(r"\A[\w-]*\.[\w-]{0,9}\.\Z"))
def test_nothing_of_what_can_not_be_read_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="it is no access token of Keycloak: three parts") as refused:
        read(text)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        "a..c",
        "a.b",
        f"{token_of({})}.e",
        token_of([]),
        token_of("x"),
        f" {token_of({})}",
        "a.\n.c",
        "é.e.e",
    ],
)
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(ValueError, match="it is no access token"):
        read(text)
