"""What has to be seen before a stage's children are applied, and which stages go side by side. Used by the reconcile.

The schema comes before the modules. A module that is not there yet starts beside the other; a change reaches MQTT once
all pods of HTTP have it, so a version that does not start stops there, with the old one serving.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from sensorthings_operator.conditions.certificate import CertificateState
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import CATALOGUE, EDGE, FOUNDATION, HTTP, MQTT, SCHEMA, Stage, addresses, basic


class Gate(Enum):
    """How far a stage may go."""

    OPEN = "open"
    REPAIRS_ONLY = "what is there is kept as it was made; changes wait"
    SHUT = "nothing is applied; what was made before stays"


def gate(stage: Stage, observed: Observed) -> Gate:
    """How far a stage may go, as things are."""
    return _GATES[stage.name](observed)


def rounds(observed: Observed) -> tuple[tuple[Stage, ...], ...]:
    """The stages in their order, those together that are applied side by side."""
    first_time = observed.http is None and observed.mqtt is None
    modules = ((HTTP, MQTT, EDGE),) if first_time else ((HTTP,), (MQTT, EDGE))
    return ((FOUNDATION, CATALOGUE), (SCHEMA,), *modules)


def _foundation(_: Observed) -> Gate:
    return Gate.OPEN


def _catalogue(_: Observed) -> Gate:
    """Nothing is built of it before the data was read."""
    return Gate.OPEN


def _schema(observed: Observed) -> Gate:
    """The schema Job needs a database; where it was made already, it stands while the database is away."""
    if observed.service.spec.hibernated:
        return Gate.OPEN
    if observed.missing_secrets:
        return Gate.SHUT
    answers = observed.database is not None and observed.database.holds
    return Gate.OPEN if observed.schema is not None or answers else Gate.SHUT


def _http(observed: Observed) -> Gate:
    if not _schema_complete(observed) or not _realm_known(observed):
        return Gate.SHUT
    if _users_known(observed):
        return Gate.OPEN
    return Gate.SHUT if observed.http is None else Gate.REPAIRS_ONLY


def _mqtt(observed: Observed) -> Gate:
    if not _schema_complete(observed) or not _realm_known(observed) or not _certificate_usable(observed):
        return Gate.SHUT
    if observed.mqtt is None:
        return Gate.OPEN if _users_known(observed) else Gate.SHUT
    return Gate.OPEN if _users_known(observed) and _http_has_it(observed) else Gate.REPAIRS_ONLY


def _edge(observed: Observed) -> Gate:
    return Gate.OPEN if _schema_complete(observed) else Gate.SHUT


def _schema_complete(observed: Observed) -> bool:
    hibernated = observed.service.spec.hibernated
    return hibernated or (observed.schema is not None and observed.schema.outcome == "Complete")


def _realm_known(observed: Observed) -> bool:
    """Pods that mount a ConfigMap which is not there wait for minutes after it is; running ones keep what they have."""
    return observed.service.realm_ca is not None


def _users_known(observed: Observed) -> bool:
    """FROST-Server makes users of its own with the tables, such as admin with the password admin: they go first."""
    if not basic.is_used(observed.service) or observed.service.spec.hibernated:
        return True
    return observed.users is not None and observed.users.holds


def _certificate_usable(observed: Observed) -> bool:
    """Pods that mount a Secret which is not there wait for minutes after it is, and old ones are away meanwhile."""
    spec, answer = observed.service.spec, observed.certificate
    if spec.certificate is None or spec.hibernated:
        return True
    return answer is not None and (answer.holds or answer.reason == CertificateState.EXPIRED)


def _http_has_it(observed: Observed) -> bool:
    """Whether all pods of HTTP are of its newest spec, which the API server took."""
    if observed.service.spec.hibernated:
        return True
    name = addresses.http_name(observed.service)
    refused = any((problem.kind, problem.name) == ("Deployment", name) for problem in observed.apply_problems)
    return observed.http is not None and observed.http.settled and not refused


_GATES: Final[Mapping[str, Callable[[Observed], Gate]]] = {
    FOUNDATION.name: _foundation,
    SCHEMA.name: _schema,
    HTTP.name: _http,
    MQTT.name: _mqtt,
    EDGE.name: _edge,
    CATALOGUE.name: _catalogue,
}
