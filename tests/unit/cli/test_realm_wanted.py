"""What a realm and its directory are to be, and what is printed: pure."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sensorthings_operator.api.realm import REALM_SETTINGS, differing, is_ours, realm_name, value_name
from sensorthings_operator.cli.realm import directory, options, words
from sensorthings_operator.cli.realm.directory import MASK, Directory, Vendor
from sensorthings_operator.cli.realm.manifest import secret_text
from sensorthings_operator.cli.tls import Authority
from sensorthings_operator.desired.settings import KeycloakRealm

AD = Directory(
    ("ldaps://dc1.city.example", "ldaps://dc2.city.example"),
    Vendor.AD,
    "ou=people,dc=city,dc=example",
    "cn=keycloak,dc=city,dc=example",
    SecretStr("s3cret"),
)
OTHER = Directory(("ldap://ldap.city.example:389",), Vendor.OTHER, "ou=people,o=city")
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

realm_names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,254}\Z").filter(lambda name: name != "master")


@pytest.mark.parametrize("text", ["", "-city", "city/..", "city realm", "c" * 256, "städte", "city\n"])
def test_what_is_no_name_of_a_realm(text: str) -> None:
    with pytest.raises(ValueError, match="is no name of a realm"):
        realm_name(text)


def test_the_realm_of_administrators_is_none_of_services() -> None:
    with pytest.raises(ValueError, match="services get one of their own"):
        realm_name("master")


@given(name=realm_names)
def test_any_realm_has_a_value_that_the_chart_takes(name: str) -> None:
    assert realm_name(name) == name
    known_as = value_name(name)
    assert known_as == known_as.strip("-")
    assert set(known_as) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 0 < len(known_as) <= 42


def test_the_mark_is_looked_for() -> None:
    assert not is_ours({})
    assert not is_ours({"attributes": None})
    assert is_ours({"attributes": {"sensorthings.city/made-by": "sensorthings-realm"}})


@given(live=st.dictionaries(st.sampled_from(sorted(REALM_SETTINGS)), st.booleans() | st.integers() | st.text()))
def test_what_differs_brings_back_what_is_wanted(live: dict[str, Any]) -> None:
    assert REALM_SETTINGS.items() <= {**live, **differing(REALM_SETTINGS, live)}.items()
    assert differing(REALM_SETTINGS, dict(REALM_SETTINGS)) == {}


@given(
    url=st.sampled_from(["https://id.city.example", "http://127.0.0.1:8080/auth"]),
    realm=realm_names,
    secret=st.text(min_size=1),
    trusted=st.booleans(),
)
def test_what_is_printed_is_a_secret_and_a_value_of_the_chart(url: str, realm: str, secret: str, trusted: bool) -> None:
    authority = Authority(Path("ca.pem"), PEM) if trusted else None
    text = secret_text(
        url=url, realm=realm, namespace="ns", name="of-city", client_id="c", client_secret=secret, authority=authority
    )
    manifest = yaml.safe_load(text)
    assert manifest["metadata"] == {"name": "of-city", "namespace": "ns"}
    decoded = {key: base64.b64decode(value).decode() for key, value in manifest["data"].items()}
    assert decoded == {"client-id": "c", "client-secret": secret, **({"ca.crt": PEM} if trusted else {})}
    comment = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("#")]
    ((known_as, value),) = yaml.safe_load("\n".join(comment[1:]))["keycloakRealms"].items()
    assert known_as == value_name(realm)
    assert value == {"url": url, "realm": realm, "secretName": "of-city"}
    assert KeycloakRealm(url=value["url"], realm=value["realm"], folder=Path("/")).realm == realm


def test_active_directory() -> None:
    config = {name: values[0] for name, values in AD.config.items()}
    assert config["connectionUrl"] == "ldaps://dc1.city.example ldaps://dc2.city.example"
    assert (config["vendor"], config["usernameLDAPAttribute"]) == ("ad", "sAMAccountName")
    assert (config["uuidLDAPAttribute"], config["authType"]) == ("objectGUID", "simple")
    assert (config["startTls"], config["connectionPooling"]) == ("false", "true")
    assert config["customUserSearchFilter"] == "(!(objectClass=computer))"
    assert "MSAD account controls" in {mapper.name for mapper in AD.mappers}


def test_other_directories_are_asked_by_start_tls_and_as_anybody() -> None:
    config = {name: values[0] for name, values in OTHER.config.items()}
    assert (config["vendor"], config["usernameLDAPAttribute"], config["authType"]) == ("other", "uid", "none")
    assert (config["startTls"], config["connectionPooling"]) == ("true", "false")
    assert {mapper.name for mapper in OTHER.mappers} == {"username", "first name", "last name", "email"}


@pytest.mark.parametrize("each", [AD, OTHER], ids=["ad", "other"])
def test_every_directory_is_read_only_in_pages_and_with_timeouts(each: Directory) -> None:
    config = {name: values[0] for name, values in each.config.items()}
    assert (config["editMode"], config["syncRegistrations"], config["pagination"]) == ("READ_ONLY", "false", "true")
    assert int(config["connectionTimeout"]) == 5000
    assert int(config["readTimeout"]) == 10000
    assert config["useTruststoreSpi"] == "always"
    for mapper in each.mappers:
        assert mapper.config.get("read.only", ["true"]) == ["true"]


def test_the_password_is_in_no_text() -> None:
    assert "s3cret" not in repr(AD)
    assert "s3cret" not in str(AD.config)
    assert AD.tested("testAuthentication")["bindCredential"] == "s3cret"
    assert AD.tested("testAuthentication", component="7")["bindCredential"] == MASK


def test_names_of_a_citys_own() -> None:
    each = Directory(
        AD.urls, Vendor.AD, AD.users_dn, username_attribute="userPrincipalName", search_filter="(memberOf=x)"
    )
    assert each.config["usernameLDAPAttribute"] == ["userPrincipalName"]
    assert each.config["customUserSearchFilter"] == ["(memberOf=x)"]
    (username,) = [mapper for mapper in each.mappers if mapper.name == "username"]
    assert username.config["ldap.attribute"] == ["userPrincipalName"]


def test_what_differs_in_a_directory() -> None:
    assert directory.differing(AD.config, AD.config) == []
    assert directory.differing(OTHER.config, {**OTHER.config, "customUserSearchFilter": []}) == []
    wrong = directory.differing(AD.config, {**AD.config, "vendor": ["other"], "pagination": ["false"]})
    assert sorted(wrong) == ["pagination", "vendor"]
    assert directory.lasting(wrong) == ["vendor"]


@pytest.mark.parametrize(
    "text", ["", "dc1.city.example", "https://dc1", "ldaps://", "ldaps://a ldaps://b", "ldaps://a,b", "ldaps://u@h",
             "ldaps://h/dc=city", "ldaps://h:x"],
)  # fmt: skip
def test_what_is_no_url_of_a_directory(text: str) -> None:
    with pytest.raises(ValueError, match="is not like ldaps://"):
        directory.directory_url(text)


@pytest.mark.parametrize("code", ["AuthenticationFailure", "SSLHandshakeFailed", "UnknownHost", "SomethingNew"])
def test_words_for_what_keycloak_says_of_a_directory(code: str) -> None:
    error = words.directory_refused(code, "ldaps://dc1.city.example")
    assert error.where == "ldaps://dc1.city.example"
    assert error.what
    assert error.remedy
    assert ("(SomethingNew)" in error.what) == (code == "SomethingNew")


@pytest.mark.parametrize(("text", "wrong"), [("", "one line"), ("a\nb\n", "one line"), ("\n", "one line")])
def test_what_is_no_file_with_a_password(text: str, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(text)
    with pytest.raises(ValueError, match=wrong):
        options.read_password(file)


def test_a_password_is_one_line_with_its_blanks(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" p w \n")
    assert options.read_password(file).get_secret_value() == " p w "
    file.write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match="UTF-8"):
        options.read_password(file)
    with pytest.raises(ValueError, match="can't be read"):
        options.read_password(tmp_path / "nothing")


def _directory(**given: Any) -> Directory | None:
    every = dict.fromkeys(("urls", "vendor", "users_dn", "bind_dn", "bind_password_file", "username", "search_filter"))
    return options.directory(**{**every, **given})


def test_no_directory_and_one() -> None:
    assert _directory() is None
    made = _directory(urls=["ldaps://a", "ldaps://b"], vendor=Vendor.AD, users_dn="o=x", search_filter="(a=b)")
    assert made == Directory(("ldaps://a", "ldaps://b"), Vendor.AD, "o=x", search_filter="(a=b)")


@pytest.mark.parametrize(
    "given_",
    [
        {"vendor": Vendor.AD},
        {"urls": ["ldaps://a"], "vendor": Vendor.AD},
        {"urls": ["ldaps://a"], "users_dn": "o=x"},
        {"urls": ["ldaps://a"], "vendor": Vendor.AD, "users_dn": "o=x", "bind_dn": "cn=x"},
        {"urls": ["ldaps://a"], "vendor": Vendor.AD, "users_dn": "o=x", "bind_password_file": Path("/x")},
        {"urls": ["ldaps://a"], "vendor": Vendor.AD, "users_dn": "o=x", "search_filter": "a=b"},
        {"urls": ["ldaps://a", "ldap://b"], "vendor": Vendor.AD, "users_dn": "o=x"},
        {"urls": ["https://a"], "vendor": Vendor.AD, "users_dn": "o=x"},
    ],
)
def test_options_of_a_directory_that_do_not_go_together(given_: dict[str, Any]) -> None:
    with pytest.raises(typer.BadParameter):
        _directory(**given_)
