"""The steps of ``sensorthings realm`` in Keycloak: the realm, the operator's client in it, its one right, its secret.

Each looks first and changes only what is not as ``api.realm`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.api.realm import (
    CLIENT_SETTINGS,
    MAKER,
    MANAGEMENT_CLIENT,
    MARK,
    OPERATOR_CLIENT,
    REALM_SETTINGS,
    RIGHT,
    differing,
    is_ours,
)
from sensorthings_operator.cli.errors import SensorThingsError

if TYPE_CHECKING:
    from sensorthings_operator.cli.realm.hands import Hands

Live = dict[str, Any]
"""A representation of Keycloak's. One of a client holds its secret: never to be printed."""

_CLIENT: Final = f"client {OPERATOR_CLIENT}"


async def ensure_realm(hands: Hands, *, adopt: bool) -> None:
    """Make the realm, or bring its settings back.

    Raises:
        SensorThingsError: it is there and was not made here, and is not to be taken over; or Keycloak refuses.
    """
    subject = f"realm {hands.realm}"
    live = await hands.find()
    if live is None:
        new = {"realm": hands.realm, **REALM_SETTINGS, "attributes": {MARK: MAKER}}
        await hands.change(subject, "made", "POST", "realms", new)
        return
    ours = is_ours(live)
    if not (ours or adopt):
        raise _not_ours(hands)
    wrong = differing(REALM_SETTINGS, live)
    if ours and not wrong:
        hands.leave(subject)
        return
    # Keycloak leaves alone what a PUT does not name, but for attributes: those it deletes where it names others.
    mark = {} if ours else {"attributes": {**(live.get("attributes") or {}), MARK: MAKER}}
    settings = ", ".join(f"{name} {value}" for name, value in wrong.items())
    done = (*([] if ours else ["taken over"]), *([f"brought to {settings}"] if wrong else []))
    await hands.change(subject, ", ".join(done), "PUT", hands.at(), {**wrong, **mark})


def _not_ours(hands: Hands) -> SensorThingsError:
    settings = ", ".join(f"{name} {value}" for name, value in REALM_SETTINGS.items())
    return SensorThingsError(
        f"There is a realm {hands.realm} that this command did not make: it is left alone",
        where=hands.keycloak.url,
        remedy=f"Choose another name, or take it over with --adopt: it then gets these settings ({settings}), and "
        f"{_CLIENT} is made what the operator needs. Look first: --adopt --dry-run.",
    )


async def ensure_client(hands: Hands) -> Live | None:
    """Make the operator's client, or bring its settings back; None where a dry run has nothing to go on with.

    Raises:
        SensorThingsError: Keycloak refuses.
    """
    live = await _client(hands, OPERATOR_CLIENT)
    if live is None:
        new = {"clientId": OPERATOR_CLIENT, **CLIENT_SETTINGS}
        await hands.change(_CLIENT, "made", "POST", hands.at("clients"), new)
        return await _client(hands, OPERATOR_CLIENT)
    wrong = differing(CLIENT_SETTINGS, live)
    if not wrong:
        hands.leave(_CLIENT)
        return live
    # Keycloak leaves alone what is not named.
    await hands.change(_CLIENT, f"brought back ({', '.join(wrong)})", "PUT", hands.at("clients", live["id"]), wrong)
    return None if hands.dry else live


async def ensure_right(hands: Hands, client: Live | None) -> None:
    """Give the client's account its one right over the realm, and take any other one away.

    Raises:
        SensorThingsError: Keycloak refuses.
    """
    subject = f"rights of {_CLIENT}"
    if client is None:
        hands.tell(f"{subject}: would be {RIGHT} of {MANAGEMENT_CLIENT}, and no other")
        return
    management = await _known_client(hands, MANAGEMENT_CLIENT)
    role = await hands.find("clients", management["id"], "roles", RIGHT)
    account = await hands.find("clients", client["id"], "service-account-user")
    changed = [
        await _ensure_only(hands, subject, role, hands.at(*place, "clients", management["id"]), kind)
        for place, kind in (
            (("users", account["id"], "role-mappings"), "role"),
            (("clients", client["id"], "scope-mappings"), "scope"),
        )
    ]
    if not any(changed):
        hands.leave(subject)


async def _ensure_only(hands: Hands, subject: str, role: Live, path: str, kind: str) -> bool:
    """Whether anything had to be changed for a mapping to hold one role alone."""
    there = await hands.keycloak.find(path) or []
    others = [each for each in there if each["name"] != role["name"]]
    if others:
        names = ", ".join(sorted(each["name"] for each in others))
        await hands.change(subject, f"rid of {kind} {names}", "DELETE", path, others)
    missing = len(others) == len(there)
    if missing:
        await hands.change(subject, f"given {kind} {role['name']}", "POST", path, [role])
    return bool(others) or missing


async def client_secret(hands: Hands, client: Live) -> str:
    """The secret that Keycloak drew for the client, which stays the same.

    Raises:
        SensorThingsError: Keycloak refuses.
    """
    found = await hands.find("clients", client["id"], "client-secret")
    return str((found or {}).get("value") or "")


async def tell_issuer(hands: Hands) -> None:
    """Tell where the realm's tokens will be refused: services look for their issuer below the URL that was given."""
    expected = f"{hands.keycloak.url}/realms/{hands.realm}"
    issuer = await hands.keycloak.issuer(hands.realm)
    if issuer and issuer != expected:
        hands.tell(
            f"Warning: this realm's tokens name {issuer} as their issuer, and not {expected}: give --url as Keycloak's "
            "own option --hostname has it, or the other way round."
        )


async def _client(hands: Hands, client_id: str) -> Live | None:
    found = await hands.find("clients", clientId=client_id)
    return dict(found[0]) if found else None


async def _known_client(hands: Hands, client_id: str) -> Live:
    found = await _client(hands, client_id)
    if found is None:
        raise SensorThingsError(
            f"Realm {hands.realm} has no client {client_id}, which Keycloak gives to each",
            where=hands.keycloak.url,
            remedy="Was it renamed or deleted? Keycloak's administrator has to bring it back.",
        )
    return found
