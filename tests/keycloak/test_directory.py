"""``sensorthings realm`` with a directory: people of a real slapd log in at a real Keycloak; or it says why not."""

from __future__ import annotations

import urllib.error
from typing import TYPE_CHECKING, Any

import pytest

from localcluster.errors import LocalClusterError
from sensorthings_operator.cli.doctor.token import read
from sensorthings_operator.cli.realm.directory import MAPPER_TYPE, NAME, PROVIDER_TYPE
from tests.keycloak.realms import APPLICATION, Maker
from tests.keycloak.server import Authority
from tests.keycloak.slapd import ANNA, BASE, BORIS, READER, READER_PASSWORD, Person, Slapd, programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.keycloak.server import Keycloak


@pytest.fixture(scope="session", autouse=True)
def slapd_is_there() -> None:
    """Skips all of these where Debian's package can't be had."""
    try:
        programs()
    except LocalClusterError as error:
        pytest.skip(f"no slapd: {error}")


@pytest.fixture
def slapd(keycloak: Keycloak, tmp_path: Path) -> Iterator[Slapd]:
    """A directory whose certificate Keycloak trusts."""
    running = Slapd(tmp_path / "slapd", keycloak.authority)
    yield running
    running.stop()


@pytest.fixture
def maker(keycloak: Keycloak, tmp_path: Path) -> Maker:
    """For a realm that is not there yet."""
    return Maker.of(keycloak, tmp_path)


def _component(maker: Maker) -> dict[str, Any]:
    path = f"/{maker.name}/components"
    found: list[dict[str, Any]] = maker.admin.call("GET", f"{path}?type={PROVIDER_TYPE}&name={NAME}")
    return found[0] if found else {}


def _mappers(maker: Maker) -> dict[str, dict[str, Any]]:
    path = f"/{maker.name}/components?parent={_component(maker)['id']}&type={MAPPER_TYPE}"
    return {mapper["name"]: mapper for mapper in maker.admin.call("GET", path)}


def _user(maker: Maker, person: Person) -> dict[str, Any]:
    found: list[dict[str, Any]] = maker.admin.call("GET", f"/{maker.name}/users?exact=true&username={person.login}")
    return found[0]


@pytest.mark.parametrize("way", ["ldaps", "StartTLS"])
def test_a_person_of_the_directory_logs_in(way: str, maker: Maker, slapd: Slapd) -> None:
    result = maker.make(*maker.directory(slapd, url=slapd.url if way == "StartTLS" else slapd.tls_url))
    assert "Keycloak reaches" in result.stderr
    secret = maker.make_application()
    claims = read(maker.log_in(ANNA, secret))
    assert (claims.authorized, claims.type, claims.account) == (APPLICATION, "Bearer", "")
    assert claims.issuer == f"{maker.keycloak.url}/realms/{maker.name}"
    user = _user(maker, ANNA)
    assert (user["firstName"], user["lastName"], user["email"]) == (ANNA.given, ANNA.family, ANNA.mail)
    assert "full name" not in _mappers(maker)
    with pytest.raises(urllib.error.HTTPError):
        maker.log_in(Person("anna", "", "", "guessed"), secret)


def test_the_directory_is_read_only(maker: Maker, slapd: Slapd) -> None:
    maker.make(*maker.directory(slapd))
    maker.log_in(ANNA, maker.make_application())
    user = _user(maker, ANNA)
    path = f"/{maker.name}/users/{user['id']}"
    with pytest.raises(urllib.error.HTTPError, match="400"):
        maker.admin.call("PUT", f"{path}/reset-password", {"type": "password", "value": "another", "temporary": False})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        maker.admin.call("PUT", path, {**user, "lastName": "Mustermann"})


def test_a_second_run_changes_nothing_also_without_the_options(maker: Maker, slapd: Slapd) -> None:
    options = maker.directory(slapd)
    first = maker.make(*options)
    maker.watch()
    second = maker.make(*options)
    assert maker.changes() == []
    assert second.stdout == first.stdout
    assert f"directory {NAME}: as it should be" in second.stderr
    before = _component(maker)
    assert maker.make().exit_code == 0
    assert _component(maker) == before


def test_what_was_changed_is_brought_back_and_what_is_the_citys_is_left(maker: Maker, slapd: Slapd) -> None:
    options = maker.directory(slapd)
    maker.make(*options)
    live, mappers = _component(maker), _mappers(maker)
    path = f"/{maker.name}/components"
    changed = {**live["config"], "editMode": ["WRITABLE"], "readTimeout": ["0"], "priority": ["3"]}
    maker.admin.call("PUT", f"{path}/{live['id']}", {**live, "config": changed})
    maker.admin.call("DELETE", f"{path}/{mappers['email']['id']}")
    first_name = mappers["first name"]
    config = {**first_name["config"], "ldap.attribute": ["cn"]}
    maker.admin.call("PUT", f"{path}/{first_name['id']}", {**first_name, "config": config})
    theirs = {"name": "theirs", "parentId": live["id"], "providerId": "hardcoded-ldap-attribute-mapper"}
    values = {"ldap.attribute.name": ["description"], "ldap.attribute.value": ["x"]}
    maker.admin.call("POST", path, {**theirs, "providerType": MAPPER_TYPE, "config": values})
    result = maker.make(*options)
    after = _component(maker)
    assert after["id"] == live["id"]
    assert after["config"]["editMode"] == ["READ_ONLY"]
    assert after["config"]["priority"] == ["3"]
    assert {"theirs", "email", "first name"} <= _mappers(maker).keys()
    assert _mappers(maker)["first name"]["config"]["ldap.attribute"] == ["givenName"]
    assert "editMode" in result.stderr
    assert maker.log_in(ANNA, maker.make_application())


def test_a_changed_password_is_taken_up(maker: Maker, slapd: Slapd) -> None:
    maker.make(*maker.directory(slapd))
    slapd.change_password(READER, "another-of-the-tests")
    refused = maker.call(*maker.directory(slapd))
    assert refused.exit_code == 1
    assert "does not let Keycloak in" in refused.stderr
    assert READER_PASSWORD not in refused.output
    result = maker.make(*maker.directory(slapd, password="another-of-the-tests"))
    assert "bindCredential" in result.stderr
    assert "another-of-the-tests" not in result.output
    assert maker.log_in(ANNA, maker.make_application())


def test_without_the_test_it_is_made_for_a_directory_that_is_not_there_yet(maker: Maker, slapd: Slapd) -> None:
    options = [*maker.directory(slapd, url="ldaps://127.0.0.1:1"), "--no-ldap-test"]
    maker.make(*options)
    assert _component(maker)["config"]["connectionUrl"] == ["ldaps://127.0.0.1:1"]
    maker.make(*maker.directory(slapd))
    assert maker.log_in(ANNA, maker.make_application())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "guessed"}, "does not let Keycloak in"),
        ({"url": "ldaps://127.0.0.1:1"}, "Nothing answers Keycloak there"),
    ],
    ids=["password", "port"],
)
def test_what_is_wrong_is_said_and_nothing_of_the_directory_is_made(
    change: dict[str, str], said: str, maker: Maker, slapd: Slapd
) -> None:
    result = maker.call(*maker.directory(slapd, **change))
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stdout == ""
    assert _component(maker) == {}


@pytest.mark.parametrize("wrong", [["--ldap-users-dn", f"ou=nowhere,{BASE}"], ["--ldap-filter", "(uid=nobody)"]])
def test_a_directory_in_which_nobody_is_found(wrong: list[str], maker: Maker, slapd: Slapd) -> None:
    result = maker.make(*maker.directory(slapd), *wrong)
    assert "Warning: Keycloak finds nobody below" in result.stderr
    assert "Warning" not in maker.make(*maker.directory(slapd)).stderr


def test_a_directory_that_keycloak_does_not_trust(maker: Maker, tmp_path: Path) -> None:
    slapd = Slapd(tmp_path / "stranger", Authority.make())
    try:
        result = maker.call(*maker.directory(slapd))
    finally:
        slapd.stop()
    assert result.exit_code == 1
    assert "does not trust the directory's certificate" in result.stderr
    assert "--truststore-paths" in result.stderr


def test_a_dry_run_asks_the_directory_nothing(maker: Maker, slapd: Slapd) -> None:
    dry = maker.make(*maker.directory(slapd), "--dry-run")
    assert f"directory {NAME}: would be made" in dry.stderr
    maker.make()
    dry = maker.make(*maker.directory(slapd), "--dry-run")
    assert f"directory {NAME}: would be made" in dry.stderr
    assert _component(maker) == {}
    assert "BIND" not in slapd.log.read_text()


def test_people_of_an_active_directory(maker: Maker, keycloak: Keycloak, tmp_path: Path) -> None:
    slapd = Slapd(tmp_path / "ad", keycloak.authority, active_directory=True)
    try:
        maker.make(*maker.directory(slapd, vendor="ad"))
        secret = maker.make_application()
        assert maker.log_in(ANNA, secret)
        user = _user(maker, ANNA)
        assert (user["firstName"], user["lastName"], user["email"]) == (ANNA.given, ANNA.family, ANNA.mail)
        with pytest.raises(urllib.error.HTTPError):
            maker.log_in(BORIS, secret)
        assert _user(maker, BORIS)["enabled"] is False
        with pytest.raises(urllib.error.HTTPError):
            maker.log_in(Person("printer$", "", "", "printers-own"), secret)
        maker.watch()
        maker.make(*maker.directory(slapd, vendor="ad"))
        assert maker.changes() == []
        refused = maker.call(*maker.directory(slapd, vendor="other"))
        assert refused.exit_code == 1
        assert "vendor" in refused.stderr
    finally:
        slapd.stop()
