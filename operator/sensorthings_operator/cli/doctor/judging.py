"""What is right and what is wrong about the identity of a service, from top to bottom of the chain. Pure.

Called by ``command``; what is reached from here is judged by ``reaching``, a token by ``tokenjudging``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensorthings_operator.cli.doctor import reaching, tokenjudging
from sensorthings_operator.cli.doctor.findings import Finding, ok, problem, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensorthings_operator.cli.doctor.observed import Condition, Observed


def judge(observed: Observed) -> tuple[Finding, ...]:
    """Every check, in the order of the chain."""
    judges = (_service, _client, _configuration, *reaching.JUDGES, *tokenjudging.JUDGES)
    return tuple(finding for each in judges for finding in each(observed))


def _service(observed: Observed) -> Iterator[Finding]:
    subject = observed.subject
    name = f"{subject.namespace}/{subject.name}"
    ready = subject.conditions.get("Ready")
    if ready is None:
        yield problem("service", f"{name} is there, and no operator has looked at it", "Is the operator running?")
    elif ready.status != "True":
        told = f"{name} is not Ready ({_words(ready)})"
        yield problem("service", told, f"sensorthings status {subject.name} -n {subject.namespace} shows why.")
    else:
        yield ok("service", f"{name} is Ready")


def _client(observed: Observed) -> Iterator[Finding]:
    """Whether the operator could give the service its client in Keycloak."""
    subject = observed.subject
    if subject.auth != "Keycloak":
        yield skipped("client", f"auth.type is {subject.auth}: there is no Keycloak in this chain")
        return
    condition = subject.conditions.get("AuthConfigured")
    if condition is None:
        yield problem("client", "the operator has not said whether the service has its client", "Is it running?")
    elif condition.status == "False":
        yield problem("client", _words(condition), "docs/conditions.md says what to do for this reason.")
    elif condition.status != "True":
        yield skipped("client", _words(condition))
    else:
        yield ok("client", f"realm {subject.realm} has client {subject.client_id}")


def _words(condition: Condition) -> str:
    return f"{condition.reason}: {condition.message}" if condition.message else condition.reason


def _configuration(observed: Observed) -> Iterator[Finding]:
    """Whether the pods are told of Keycloak, and of the client that the service has there."""
    subject, adapter = observed.subject, observed.adapter
    if subject.auth != "Keycloak":
        return
    if adapter is None:
        yield problem(
            "configuration",
            f"what the pods expect is not known: {observed.no_adapter}",
            "The operator writes it as soon as its setting keycloakRealms knows the realm and its Secret is mounted; "
            "reading it takes the role `view` in the namespace.",
        )
    elif adapter.client_id != subject.client_id:
        yield problem(
            "configuration",
            f"the pods expect tokens for client {adapter.client_id}, and the service's is {subject.client_id}",
            f"{adapter.source} was changed, or is of another release: look at the operator's log.",
        )
    else:
        yield ok("configuration", f"the pods expect tokens of {adapter.issuer} for client {adapter.client_id}")
