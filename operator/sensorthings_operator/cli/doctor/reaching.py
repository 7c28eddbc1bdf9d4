"""Judges what answers from here: Keycloak, HTTP and MQTT, their certificates and clocks, and who may come in. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sensorthings_operator.cli.doctor.clock import span
from sensorthings_operator.cli.doctor.findings import Finding, ok, problem, skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sensorthings_operator.cli.doctor.clock import Offset
    from sensorthings_operator.cli.doctor.observed import Handshake, Observed, Reply, Said

CLOCK_SECONDS: Final = 10.0
"""By how much clocks may differ: of a token that lives five minutes that is no matter yet."""
_LEFT: Final = timedelta(days=14)
_PART_LEFT: Final = 1 / 6
"""Of a certificate's life: cert-manager renews when a third is left."""
_NOT_ASKED: Final = "the operator has told no address yet"
_NOT_ALLOWED: Final = 0x87
_FAILURES: Final = 0x80
_SERVER_ERRORS: Final = 500


def certificate(check: str, seen: Handshake, now: datetime) -> Finding:
    """Whether a certificate is trusted, and will be for a while."""
    if seen.failure is not None or seen.begins is None or seen.ends is None:
        what, remedy = seen.failure or ("no certificate was shown", "Look at what ends TLS there.")
        return problem(check, f"{seen.where}: {what}", remedy)
    left = seen.ends - now
    told = f"{seen.where}: trusted, until {seen.ends:%Y-%m-%d %H:%M} UTC ({span(left.total_seconds())})"
    if left < min(_LEFT, (seen.ends - seen.begins) * _PART_LEFT):
        return problem(
            check,
            told,
            "It should have been renewed by now: look at its Certificate (kubectl describe certificate), or renew it.",
        )
    return ok(check, told)


def clock(check: str, whose: str, offset: Offset) -> Finding:
    """Whether another clock agrees with one here, or with another."""
    ahead = offset.certain
    if abs(ahead) <= CLOCK_SECONDS:
        return ok(check, f"{whose}: no more than {CLOCK_SECONDS:g} s apart")
    way = "ahead of" if ahead > 0 else "behind"
    return problem(
        check,
        f"{whose}: {span(ahead)} {way} it",
        "Set the clocks by NTP on the nodes and on this machine: tokens are refused before their time or after it.",
    )


def _keycloak(observed: Observed) -> Iterator[Finding]:
    adapter, seen, found = observed.adapter, observed.keycloak, observed.discovery
    if adapter is None or found is None:
        return
    if seen is not None:
        finding = certificate("keycloak-certificate", seen, observed.now)
        trusted = f"in {adapter.source}" if adapter.authorities else "that are public"
        yield (
            finding
            if not seen.failure
            else problem(
                finding.check,
                finding.message,
                f"{finding.remedy} The pods trust the CAs {trusted}: they come from ca.crt in the Secret of the realm.",
            )
        )
    yield _issuer(adapter.issuer, found)
    if found.clock is not None:
        yield clock("keycloak-clock", "Keycloak's clock against this machine's", found.clock)


def _issuer(expected: str, found: Reply) -> Finding:
    if found.failure is not None:
        return problem("issuer", f"{found.where}: {found.failure.what}", found.failure.remedy)
    if found.status == 404:
        remedy = "Make it (sensorthings realm), or correct the operator's setting keycloakRealms."
        return problem("issuer", f"{found.where} answers 404: there is no such realm", remedy)
    if found.status != 200 or not found.issuer:
        remedy = "Is a Keycloak at the URL that the operator's setting keycloakRealms gives, and is it well?"
        return problem("issuer", f"{found.where} answers {found.status}, and no discovery document", remedy)
    if found.issuer != expected:
        return problem(
            "issuer",
            f"tokens name {found.issuer} as their issuer, the pods expect {expected}: every token is refused",
            "Give keycloakRealms the URL that Keycloak's own option --hostname has, or the other way round.",
        )
    return ok("issuer", f"{expected} is reached, and names itself so")


def _http(observed: Observed) -> Iterator[Finding]:
    root = observed.root
    if root is None:
        yield skipped("http", _NOT_ASKED)
        return
    if observed.https is not None:
        yield certificate("https-certificate", observed.https, observed.now)
    if root.failure is not None:
        yield problem("http", f"{root.where}: {root.failure.what}", root.failure.remedy)
        return
    # Where reading takes a token, that is asked for at the root already.
    if root.status == 200 or (root.status == 401 and not observed.subject.anonymous_read):
        yield ok("http", f"{root.where} answers {root.status}")
    else:
        yield problem("http", f"{root.where} answers {root.status}", _remedy(root.status))
    yield from _service_clock(observed, root)
    yield from _anonymous_read(observed)
    yield from _anonymous_write(observed)


def _service_clock(observed: Observed, root: Reply) -> Iterator[Finding]:
    if root.clock is None:
        return
    yield clock("service-clock", "the service's clock against this machine's", root.clock)
    if observed.discovery is not None and observed.discovery.clock is not None:
        apart = observed.discovery.clock.against(root.clock)
        yield clock("clocks", "Keycloak's clock against the service's", apart)


def _remedy(status: int | None) -> str:
    if status is not None and status >= _SERVER_ERRORS:
        return "Are its HTTP pods ready? Look at sensorthings status, then at their log."
    if status == 404:
        return "Does its route lead to it? Look at RoutesProgrammed in sensorthings status."
    return "Look at the log of the service's HTTP pods."


def _anonymous_read(observed: Observed) -> Iterator[Finding]:
    reply, anybody = observed.read, observed.subject.anonymous_read
    if reply is None or reply.status is None:
        return
    spec = f"auth.anonymousRead is {str(anybody).lower()}"
    if (reply.status == 200) if anybody else (reply.status in {401, 403}):
        yield ok("anonymous-read", f"{spec}: reading without a token is answered with {reply.status}")
    elif reply.status == 200:
        remedy = "Have the HTTP pods been rolled since the spec changed? Look at sensorthings status."
        yield problem("anonymous-read", f"{spec}, and everybody can read", remedy)
    else:
        told = f"{spec}, and reading without a token is answered with {reply.status}"
        yield problem("anonymous-read", told, _remedy(reply.status))


def _anonymous_write(observed: Observed) -> Iterator[Finding]:
    reply = observed.write
    if reply is None or reply.status is None:
        return
    told = f"a POST of nothing without a token is answered with {reply.status}"
    if observed.subject.auth == "None":
        yield ok("anonymous-write", f"auth.type None lets everybody write; {told}")
    elif reply.status in {401, 403}:
        yield ok("anonymous-write", f"{told}: refused")
    elif 300 <= reply.status < 400:
        remedy = (
            "Its adapter is not bearer-only: has the ConfigMap of the adapter been changed, or the pods not rolled?"
        )
        yield problem("anonymous-write", f"{told}: sent to a page for logging in", remedy)
    elif reply.status >= _SERVER_ERRORS:
        yield problem("anonymous-write", told, _remedy(reply.status))
    else:
        yield problem(
            "anonymous-write",
            f"{told}, and not with 401: everybody can write",
            "Shut its route until that is mended; have its HTTP pods been rolled since auth was configured?",
        )


def _mqtt(observed: Observed) -> Iterator[Finding]:
    said = observed.anonymous
    if said is None:
        yield skipped("mqtt", _NOT_ASKED)
        return
    if observed.mqtts is None:
        yield skipped("mqtt-certificate", f"{said.where} is without TLS: the service is not exposed")
    else:
        yield certificate("mqtt-certificate", observed.mqtts, observed.now)
    if said.failure is not None:
        yield problem("mqtt", f"{said.where}: {said.failure.what}", said.failure.remedy)
        return
    yield ok("mqtt", f"{said.where} answers")
    yield from _anonymous_subscribe(observed, said)
    yield from _anonymous_publish(observed, said)


def _web_socket(observed: Observed) -> Iterator[Finding]:
    """Whether it leads to the broker: who may do what there is the same by both ways."""
    said = observed.web_socket
    if said is None:
        return
    if said.failure is not None:
        yield problem("websocket", f"{said.where}: {said.failure.what}", said.failure.remedy)
    elif said.connected is None:
        yield problem("websocket", f"{said.where} ended the connection", "Look at the log of the service's MQTT pods.")
    else:
        yield ok("websocket", f"{said.where} answers")


def _anonymous_subscribe(observed: Observed, said: Said) -> Iterator[Finding]:
    anybody = observed.subject.anonymous_read
    spec = f"auth.anonymousRead is {str(anybody).lower()}"
    granted = said.subscribed is not None and said.subscribed < _FAILURES
    told = granted_or_not(said, said.subscribed, "subscribing without a token")
    if granted == anybody and not _is_silent(said, said.subscribed):
        yield ok("anonymous-subscribe", f"{spec}: {told}")
    else:
        remedy = (
            "Have the MQTT pods been rolled since the spec changed? Look at sensorthings status, then at their log."
        )
        yield problem("anonymous-subscribe", f"{spec}, and {told}", remedy)


def _anonymous_publish(observed: Observed, said: Said) -> Iterator[Finding]:
    subject = observed.subject
    told = granted_or_not(said, said.published, "publishing without a token")
    # A refusal of the text that was sent, and not of who sent it, comes from behind the door.
    let_in = said.published is not None and _NOT_ALLOWED not in {said.published, said.ended}
    if subject.auth == "None" and subject.publishing:
        yield ok("anonymous-publish", f"auth.type None lets everybody publish; {told}")
    elif let_in:
        remedy = "Shut its route until that is mended; is the gate in front of the MQTT module, and of this release?"
        yield problem("anonymous-publish", f"{told}, and not for want of a right", remedy)
    elif _is_silent(said, said.published):
        yield problem("anonymous-publish", told, "Look at the log of the gate in the service's MQTT pods.")
    else:
        yield ok("anonymous-publish", told)


def _is_silent(said: Said, code: int | None) -> bool:
    """Whether nothing says that something is refused, nor that it is not."""
    refused = said.connected is not None and said.connected >= _FAILURES
    return code is None and said.ended is None and not refused


def granted_or_not(said: Said, code: int | None, doing: str) -> str:
    """What became of something, by the code that it was answered with, if it was."""
    if code is not None:
        return f"{doing} is {'granted' if code < _FAILURES else f'refused ({words(code)})'}"
    if said.connected is not None and said.connected >= _FAILURES:
        return f"{doing} is refused with the connection ({words(said.connected)})"
    if said.ended is not None:
        return f"{doing} ends the connection{f' ({words(said.ended)})' if said.ended else ''}"
    return f"{doing} is not answered"


def words(code: int) -> str:
    """A reason code of MQTT 5 (section 2.4)."""
    return _CODES.get(code, f"0x{code:02X}")


_CODES: Final = {
    0x83: "0x83 implementation specific error",
    0x84: "0x84 unsupported protocol version",
    0x86: "0x86 bad user name or password",
    0x87: "0x87 not authorized",
    0x88: "0x88 server unavailable",
    0x97: "0x97 quota exceeded",
    0x99: "0x99 payload format invalid",
}

JUDGES: Final[tuple[Callable[[Observed], Iterator[Finding]], ...]] = (_keycloak, _http, _mqtt, _web_socket)
