"""Certificates between the parts of a service: when they are due, and that what is issued is good for its use."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.apply.authority import AUTHORITY_LIFE, LEAF_LIFE
from sensorthings_operator.apply.certificates import are_due, issue
from sensorthings_operator.desired import buscertificates as names

HOST = "air-bus.hamburg.svc.cluster.local"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ISSUED = issue({}, [HOST], NOW)


def _certificate(values: dict[str, bytes], key: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(values[key])


def test_what_was_issued_just_now_is_not_due() -> None:
    assert not are_due(ISSUED, [HOST], NOW)


@pytest.mark.parametrize("key", sorted(ISSUED))
def test_what_is_missing_is_due(key: str) -> None:
    assert are_due({name: value for name, value in ISSUED.items() if name != key}, [HOST], NOW)


@pytest.mark.parametrize("key", sorted({*ISSUED} - {names.CLIENT_KEYSTORE, names.TRUSTSTORE}))
@pytest.mark.parametrize("spoiled", [b"", b"nonsense", ISSUED[names.CA], issue({}, [HOST], NOW)[names.SERVER_KEY]])
def test_what_is_spoiled_is_due(key: str, spoiled: bytes) -> None:
    values = {**ISSUED, key: spoiled}
    assert are_due(values, [HOST], NOW) == (values != ISSUED)


def test_certificates_of_another_authority_are_due() -> None:
    other = issue({}, [HOST], NOW)
    assert are_due({**ISSUED, **{key: other[key] for key in (names.CLIENT, names.CLIENT_KEY)}}, [HOST], NOW)


def test_those_of_other_hosts_are_due() -> None:
    assert are_due(ISSUED, ["air-bus.hamburg.svc.other.domain"], NOW)
    assert are_due(ISSUED, [HOST, "air-bus"], NOW)


@given(st.floats(0, 3 * 365))
def test_the_last_third_of_a_year_is_for_renewal(days: float) -> None:
    later = NOW + timedelta(days=days)
    turn = NOW + LEAF_LIFE * 2 / 3
    if abs(later - turn) > timedelta(hours=1):
        assert are_due(ISSUED, [HOST], later) == (later > turn)


def test_a_renewal_keeps_the_authority_so_that_both_sides_need_not_change_at_once() -> None:
    later = NOW + LEAF_LIFE
    renewed = issue(ISSUED, [HOST], later)
    assert (renewed[names.CA], renewed[names.CA_KEY]) == (ISSUED[names.CA], ISSUED[names.CA_KEY])
    assert renewed[names.SERVER_KEY] != ISSUED[names.SERVER_KEY]
    assert not are_due(renewed, [HOST], later)
    _certificate(renewed, names.CLIENT).verify_directly_issued_by(_certificate(ISSUED, names.CA))


def test_an_authority_in_its_last_third_is_followed_by_another() -> None:
    later = NOW + AUTHORITY_LIFE * 2 / 3 + timedelta(days=1)
    renewed = issue(ISSUED, [HOST], later)
    assert renewed[names.CA] != ISSUED[names.CA]
    assert not are_due(renewed, [HOST], later)


@pytest.mark.parametrize("broken", [{}, {names.CA: b"nonsense", names.CA_KEY: b""}])
def test_an_authority_that_can_not_be_read_is_followed_by_another(broken: dict[str, bytes]) -> None:
    assert not are_due(issue(broken, [HOST], NOW), [HOST], NOW)


def test_each_certificate_is_good_for_one_thing() -> None:
    server, client, authority = (_certificate(ISSUED, key) for key in (names.SERVER, names.CLIENT, names.CA))
    used = [_extension(each, x509.ExtendedKeyUsage) for each in (server, client)]
    assert [[usage.dotted_string for usage in each] for each in used] == [["1.3.6.1.5.5.7.3.1"], ["1.3.6.1.5.5.7.3.2"]]
    assert [_extension(each, x509.BasicConstraints).ca for each in (server, client, authority)] == [False, False, True]
    assert _extension(server, x509.SubjectAlternativeName).get_values_for_type(x509.DNSName) == [HOST]
    with pytest.raises((InvalidSignature, ValueError)):
        server.verify_directly_issued_by(client)


def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    return certificate.extensions.get_extension_for_class(kind).value


def test_a_long_host_fits() -> None:
    host = f"{'a' * 63}.{'b' * 63}.svc.cluster.local"
    assert not are_due(issue({}, [host], NOW), [host], NOW)


def test_the_keystore_holds_the_client_and_its_key() -> None:
    key, certificate, _ = pkcs12.load_key_and_certificates(ISSUED[names.CLIENT_KEYSTORE], names.STORE_PASSWORD.encode())
    assert certificate == _certificate(ISSUED, names.CLIENT)
    assert key is not None
    assert key.public_key() == _certificate(ISSUED, names.CLIENT).public_key()
