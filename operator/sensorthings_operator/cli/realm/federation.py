"""The step of ``sensorthings realm`` that lets people of a directory in: tested by Keycloak first, then read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.cli.errors import AnswerError, SensorThingsError
from sensorthings_operator.cli.realm import directory as wanted
from sensorthings_operator.cli.realm.words import directory_refused

if TYPE_CHECKING:
    from sensorthings_operator.cli.realm.directory import Config, Directory, Mapper
    from sensorthings_operator.cli.realm.hands import Hands

Live = dict[str, Any]
"""A ComponentRepresentation; Keycloak masks the secrets in it."""

_SUBJECT: Final = f"directory {wanted.NAME}"


async def ensure_directory(hands: Hands, directory: Directory, *, test: bool) -> None:
    """Make the federation, or bring it back.

    The password that Keycloak holds can't be read. With the test it is kept where the directory takes it; without, the
    given one is written each time.

    Raises:
        SensorThingsError: the directory does not let Keycloak in; or Keycloak refuses; or what people are known by
            would change.
    """
    if test and not hands.dry:
        await _test(hands, directory)
    live = await _component(hands)
    if live is None:
        await _make(hands, directory)
    else:
        await _repair(hands, directory, live, test=test)
    if test and not hands.dry:
        await _tell_where_nobody_is(hands, directory)


async def _tell_where_nobody_is(hands: Hands, directory: Directory) -> None:
    """Tell where Keycloak finds nobody: it connects all the same."""
    try:
        anybody = await hands.find("users", search="*", max="1")
    except AnswerError:
        # What it answers where the directory has no such entry.
        anybody = None
    if not anybody:
        hands.tell(
            f"Warning: Keycloak finds nobody below {directory.users_dn}: check --ldap-users-dn, --ldap-vendor and "
            "--ldap-filter."
        )


async def _test(hands: Hands, directory: Directory) -> None:
    for action in ("testConnection", "testAuthentication"):
        code = await _refusal(hands, directory, action)
        if code:
            raise directory_refused(code, " ".join(directory.urls))
    hands.tell(f"{_SUBJECT}: Keycloak reaches {' '.join(directory.urls)}, and may log in")


async def _refusal(hands: Hands, directory: Directory, action: str, component: str = "") -> str:
    body = directory.tested(action, component=component)
    return await hands.keycloak.refusal(hands.at("testLDAPConnection"), body)


async def _component(hands: Hands) -> Live | None:
    found = await hands.find("components", name=wanted.NAME, type=wanted.PROVIDER_TYPE)
    return next((dict(each) for each in found or () if each["providerId"] == wanted.PROVIDER), None)


async def _make(hands: Hands, directory: Directory) -> None:
    new = {
        "name": wanted.NAME,
        "providerId": wanted.PROVIDER,
        "providerType": wanted.PROVIDER_TYPE,
        "config": {**directory.config, **_password(directory)},
    }
    await hands.change(_SUBJECT, "made", "POST", hands.at("components"), new)
    live = await _component(hands)
    if live is None:
        # A dry run.
        return
    for name, mapper in (await _mappers(hands, live)).items():
        if name == wanted.REPLACED_MAPPER:
            await hands.keycloak.send("DELETE", hands.at("components", mapper["id"]))
    await _ensure_mappers(hands, directory, live)


async def _repair(hands: Hands, directory: Directory, live: Live, *, test: bool) -> None:
    wrong = wanted.differing(directory.config, live["config"])
    _refuse_other_people(hands, wanted.lasting(wrong))
    if directory.bind_dn and not await _password_holds(hands, directory, live, wrong, test=test):
        wrong.append("bindCredential")
    if wrong:
        password = _password(directory) if "bindCredential" in wrong else {}
        whole = {**live, "config": {**live["config"], **directory.config, **password}}
        await hands.change(
            _SUBJECT, f"brought back ({', '.join(wrong)})", "PUT", hands.at("components", live["id"]), whole
        )
    mended = await _ensure_mappers(hands, directory, live)
    if not (wrong or mended):
        hands.leave(_SUBJECT)


async def _password_holds(hands: Hands, directory: Directory, live: Live, wrong: list[str], *, test: bool) -> bool:
    """Whether the password that Keycloak holds need not be written; a dry run asks nobody, and takes it for good."""
    if hands.dry:
        return True
    # Keycloak sends a password that it holds nowhere but where it is to be sent.
    moved = set(wrong) & set(directory.connection)
    return test and not moved and not await _refusal(hands, directory, "testAuthentication", live["id"])


def _refuse_other_people(hands: Hands, lasting: list[str]) -> None:
    if lasting:
        raise SensorThingsError(
            f"The {_SUBJECT} of realm {hands.realm} is of another kind ({', '.join(lasting)} differ)",
            where=hands.keycloak.url,
            remedy="People that Keycloak has seen would become others: delete it in Keycloak (User federation), then "
            "run this again.",
        )


async def _ensure_mappers(hands: Hands, directory: Directory, live: Live) -> bool:
    """Whether a mapper had to be made or brought back. What Keycloak made by itself is put right without a word."""
    there = await _mappers(hands, live)
    changed = [await _ensure_mapper(hands, mapper, there.get(mapper.name), live["id"]) for mapper in directory.mappers]
    return any(changed)


async def _ensure_mapper(hands: Hands, mapper: Mapper, live: Live | None, parent: str) -> bool:
    subject = f"{_SUBJECT}, mapper {mapper.name}"
    if live is None:
        new = {
            "name": mapper.name,
            "parentId": parent,
            "providerId": mapper.provider,
            "providerType": wanted.MAPPER_TYPE,
            "config": mapper.config,
        }
        await hands.change(subject, "made", "POST", hands.at("components"), new)
        return True
    wrong = wanted.differing(mapper.config, live["config"])
    if wrong or live["providerId"] != mapper.provider:
        whole = {**live, "providerId": mapper.provider, "config": {**live["config"], **mapper.config}}
        await hands.change(subject, f"set ({', '.join(wrong)})", "PUT", hands.at("components", live["id"]), whole)
        return True
    return False


async def _mappers(hands: Hands, live: Live) -> dict[str, Live]:
    found = await hands.find("components", parent=live["id"], type=wanted.MAPPER_TYPE)
    return {each["name"]: dict(each) for each in found or ()}


def _password(directory: Directory) -> Config:
    return {"bindCredential": [directory.secret]} if directory.bind_dn else {}
