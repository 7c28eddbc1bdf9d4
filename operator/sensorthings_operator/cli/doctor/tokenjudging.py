"""Judges a token: whose it is, for whom, for how long, and who takes it. Pure; nothing of a person in it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sensorthings_operator.cli.doctor.clock import span
from sensorthings_operator.cli.doctor.findings import Finding, ok, problem, skipped
from sensorthings_operator.cli.doctor.reaching import words
from sensorthings_operator.desired.keycloak import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sensorthings_operator.cli.doctor.observed import Observed, Token
    from sensorthings_operator.cli.doctor.token import Claims

_GATE_MARGIN: Final = 60.0
"""Seconds that a token may come before its time: the gate lets so much pass."""
_FAILURES: Final = 0x80
_NO_KEYS: Final = 0x88


def _token(observed: Observed) -> Iterator[Finding]:
    token = observed.token
    if token is None:
        return
    if token.claims is None:
        yield problem("token", f"{token.source}: {token.unreadable}", token.remedy)
        return
    claims = token.claims
    if claims.type != "Bearer":
        told = f"{token.source}: its typ is {_shown(claims.type)}, and that of an access token is Bearer"
        yield problem("token", told, "Give the access_token that the token endpoint answers with.")
    else:
        yield ok("token", f"{token.source}: an access token, {_party(claims)}")
    yield from _issuer(observed, claims)
    yield from _audience(observed, claims)
    yield from _roles(observed, token, claims)
    yield _lifetime(claims, judged_at(observed))
    yield from _by_http(observed, token, claims)
    yield from _by_mqtt(token, claims)


def judged_at(observed: Observed) -> datetime:
    """The time by the clock of the service, as far as that is known: it is the one that looks at tokens."""
    root = observed.root
    return root.clock.there(observed.now) if root is not None and root.clock is not None else observed.now


def _party(claims: Claims) -> str:
    if claims.account:
        return f"of the service account of client {_shown(claims.account)} (azp {_shown(claims.authorized)})"
    return f"of a person, by application {_shown(claims.authorized)} (azp): it publishes nothing by MQTT"


def _issuer(observed: Observed, claims: Claims) -> Iterator[Finding]:
    adapter = observed.adapter
    if adapter is None:
        yield skipped("token-issuer", "what the pods expect is not known")
    elif claims.issuer == adapter.issuer:
        yield ok("token-issuer", claims.issuer)
    else:
        yield problem(
            "token-issuer",
            f"it is {_shown(claims.issuer)}, and the pods expect {adapter.issuer}",
            "Get it from that realm, at that URL; see also the check `issuer` above.",
        )


def _audience(observed: Observed, claims: Claims) -> Iterator[Finding]:
    client = observed.subject.client_id
    if client in claims.audience:
        yield ok("token-audience", f"it is for {client}")
        return
    others = ", ".join(map(_shown, claims.audience)) or "nobody"
    yield problem(
        "token-audience",
        f"it is for {others}, and not for {client}",
        "Keycloak puts in each client of which the token carries a role: give the account a role of this one, and see "
        "that the application's scope lets it through (fullScopeAllowed, or a scope mapping).",
    )


def _roles(observed: Observed, token: Token, claims: Claims) -> Iterator[Finding]:
    client = observed.subject.client_id
    there = claims.roles.get(client, ())
    missing = [role for role in token.wanted if role not in there]
    told = ", ".join(sorted(map(_shown, there))) or "none"
    if missing:
        yield problem(
            "token-roles",
            f"it carries {told} of {client}; the Connector asks for {', '.join(missing)}, too",
            "Look at the Connector's conditions; a token that was made before is renewed within minutes.",
        )
    elif not set(there) & set(ROLES):
        yield problem(
            "token-roles",
            f"it carries no role of {client} that means anything ({told})",
            f"In Keycloak, give the account one of {', '.join(ROLES)} of client {client}, then get a new token.",
        )
    else:
        yield ok("token-roles", f"it carries {told} of {client}")


def _lifetime(claims: Claims, at: datetime) -> Finding:
    begins = max((time for time in (claims.not_before, claims.issued) if time is not None), default=None)
    if claims.expires is None:
        return problem("token-lifetime", "it says no end (exp)", "Get one from Keycloak, which says one.")
    left = (claims.expires - at).total_seconds()
    if left <= 0:
        return problem(
            "token-lifetime",
            f"it ended {span(left)} ago, by the service's clock",
            "Get a new one. Where it is a Connector's, the operator should have renewed it: look at its conditions.",
        )
    if begins is not None and (begins - at).total_seconds() > _GATE_MARGIN:
        early = span((begins - at).total_seconds())
        return problem(
            "token-lifetime",
            f"it begins in {early}, by the service's clock",
            "The clocks differ: set Keycloak's and the service's by NTP.",
        )
    whole = f" of {span((claims.expires - begins).total_seconds())}" if begins is not None else ""
    return ok("token-lifetime", f"{span(left)}{whole} are left")


def _by_http(observed: Observed, token: Token, claims: Claims) -> Iterator[Finding]:
    reply = token.posted
    if reply is None:
        yield skipped("token-http", "not sent: there is no address, or it would go unencrypted to another machine")
        return
    if reply.failure is not None or reply.status is None:
        what, remedy = reply.failure or ("no answer", "")
        yield problem("token-http", f"{reply.where}: {what}", remedy)
        return
    yield _taken("create" in claims.roles.get(observed.subject.client_id, ()), reply.status)


def _taken(may_create: bool, status: int) -> Finding:
    told = f"a POST of nothing with it is answered with {status}"
    if status == 401:
        return problem(
            "token-http",
            f"{told}: it is not accepted",
            "See the checks above; where all of them are well, do the HTTP pods reach Keycloak and trust its "
            "certificate? Their log says why.",
        )
    if status >= 500:
        remedy = "Do the HTTP pods reach Keycloak and the database? Their log says why."
        return problem("token-http", told, remedy)
    if status == 403 and may_create:
        remedy = "Have the HTTP pods been rolled since auth was configured? Their log says why."
        return problem("token-http", f"{told}, though it carries the role create", remedy)
    if status == 403:
        return ok("token-http", f"{told}: accepted, and without the role create it may not")
    if may_create:
        return ok("token-http", f"{told}: accepted, and refused for what was sent")
    return problem(
        "token-http",
        f"{told}, and it carries no role create: whoever has a token can write",
        "Shut its route until that is mended; have its HTTP pods been rolled since auth was configured?",
    )


def _by_mqtt(token: Token, claims: Claims) -> Iterator[Finding]:
    said = token.said
    if said is None:
        yield skipped("token-mqtt", "not sent: there is no address, or it would go unencrypted to another machine")
    elif said.failure is not None:
        yield problem("token-mqtt", f"{said.where}: {said.failure.what}", said.failure.remedy)
    elif said.connected is None:
        yield problem("token-mqtt", f"{said.where} ended the connection", "Look at the log of the service's MQTT pods.")
    elif said.connected < _FAILURES:
        publishes = "" if claims.account else "; it is of a person, and may not publish"
        yield ok("token-mqtt", f"{said.where} lets it in{publishes}")
    elif said.connected == _NO_KEYS:
        remedy = "Does the gate reach Keycloak, and FROST-Server run behind it? Look at the log of the MQTT pods."
        yield problem("token-mqtt", f"{said.where} answers {words(said.connected)}", remedy)
    else:
        remedy = "See the checks above; where all of them are well, look at the log of the gate in the MQTT pods."
        yield problem("token-mqtt", f"{said.where} does not let it in ({words(said.connected)})", remedy)


def _shown(text: str) -> str:
    """A name out of a token: whoever wrote it is not thereby trusted."""
    return "".join(character if character.isprintable() else " " for character in text)[:200] or "(none)"


JUDGES: Final[tuple[Callable[[Observed], Iterator[Finding]], ...]] = (_token,)
