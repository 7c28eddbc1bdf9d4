"""What people type to say how a service is reached: files, addresses, and where a secret may go."""

from __future__ import annotations

import contextlib
import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorthings_operator.cli.access import Access, ClientCredentials, parse_address, read_credentials
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.tls import Authority as Trusted
from tests.unit.cli.secure import Authority

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret-of-the-player"
RIGHT = {"token_url": "https://id.city.example/token", "client_id": "player", "client_secret": SECRET}


@given(st.ip_addresses())
def test_any_ip_address_is_read(address: Any) -> None:
    assert parse_address(str(address)) == address
    assert parse_address(f" [{address}] ") == address


@given(st.text(max_size=40))
def test_anything_else_says_what_is_allowed(text: str) -> None:
    try:
        ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        with pytest.raises(ValueError, match=r"write it like 127\.30\.0\.1"):
            parse_address(text)


@pytest.mark.parametrize("text", ["iot.city.example", "127.30.0.1:443", "", "127.30.0"])
def test_names_and_ports_are_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        parse_address(text)


def test_credentials_are_read_and_hidden(tmp_path: Path) -> None:
    file = tmp_path / "player.json"
    file.write_text(json.dumps({**RIGHT, "issuer": "somewhere"}))
    credentials = read_credentials(file)
    assert (credentials.client_id, credentials.client_secret.get_secret_value()) == ("player", SECRET)
    assert SECRET not in repr(credentials)
    assert SECRET not in repr(Access(credentials=credentials))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Invalid JSON"),
        ("[]", "is not like"),
        (json.dumps({"client_id": "player", "client_secret": SECRET}), "token_url: Field required"),
        (json.dumps({**RIGHT, "client_secret": {"value": SECRET}}), "client_secret: "),
        (json.dumps({**RIGHT, "client_id": ""}), "client_id: "),
        (json.dumps({**RIGHT, "token_url": f"id.city.example/{SECRET}"}), "must be a URL that begins with https://"),
        (json.dumps({**RIGHT, "token_url": f"https://player:{SECRET}@id.city.example/"}), "holds no user"),
        (f'{{"client_secret": "{SECRET}"', "Invalid JSON"),
    ],
)
def test_wrong_credentials_say_what_is_wrong_and_no_secret(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "player.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=said) as refused:
        read_credentials(file)
    assert str(file) in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from([*RIGHT, "other"]), json_values | st.sampled_from(list(RIGHT.values()))).map(
        json.dumps
    )
    | st.text(max_size=30)
)
def test_any_file_is_read_or_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "player.json"
    file.write_text(content, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(ValueError):
        assert read_credentials(file).client_id
        return
    with pytest.raises(ValueError, match="is not like"):
        read_credentials(file)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read: No such file"):
        read_credentials(tmp_path / "none.json")
    with pytest.raises(ValueError, match="can't be read: No such file"):
        Trusted.read(tmp_path / "none.crt")
    with pytest.raises(ValueError, match="can't be read: Is a directory"):
        Trusted.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_certificate(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="holds no certificate in PEM"):
        Trusted.read(file)


def test_a_certificate_is_read(tmp_path: Path) -> None:
    assert "BEGIN CERTIFICATE" in Trusted.read(Authority(tmp_path).file).pem


def test_names_lead_to_the_address_and_addresses_to_themselves() -> None:
    assert Access().address("iot.city.example") == "iot.city.example"
    there = Access(connect_to=ip_address("127.30.0.1"))
    assert there.address("iot.city.example") == "127.30.0.1"
    assert there.address("127.0.0.2") == "127.0.0.2"


@pytest.mark.parametrize(
    ("host", "connect_to", "encrypted", "sent"),
    [
        ("iot.city.example", None, True, True),
        ("iot.city.example", None, False, False),
        ("192.0.2.1", None, False, False),
        ("192.0.2.1", "127.0.0.1", False, False),
        ("127.0.0.1", None, False, True),
        ("::1", None, False, True),
        ("localhost", None, False, True),
        ("iot.city.example", "127.30.0.1", False, True),
        ("iot.city.example", "192.0.2.1", False, False),
    ],
)
def test_where_a_token_may_go(host: str, connect_to: str | None, encrypted: bool, sent: bool) -> None:
    address = ip_address(connect_to) if connect_to else None
    access = Access(connect_to=address, credentials=ClientCredentials.model_validate(RIGHT))
    Access(connect_to=address).refuse_cleartext("url", host, encrypted=encrypted)
    if sent:
        access.refuse_cleartext("url", host, encrypted=encrypted)
    else:
        with pytest.raises(SensorThingsError, match="not sent without TLS"):
            access.refuse_cleartext("url", host, encrypted=encrypted)
