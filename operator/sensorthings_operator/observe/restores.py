"""What came of the restore that a spec asks for, and which database serves until then. Used by the reconcile."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from sensorthings_operator.api.status import RestoreStatus
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions.backups import Run
from sensorthings_operator.conditions.observed import Observed, Workload
from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.database import backups
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe.gather import runs


def look(observed: Observed, body: Mapping[str, Any], ended: Iterable[Run]) -> Observed:
    """With what is known of the restore."""
    mine = _restores(observed.service, ended)
    failure = mine[-1].failed if mine else ""
    return replace(observed, restored=restored(observed.service, body, mine), restore_failure=failure)


def restored(service: Service, body: Mapping[str, Any], ended: Iterable[Run]) -> RestoreStatus | None:
    """What the database that is to be restored held when it was; None where it was not yet.

    Args:
        service: As it is wanted.
        body: The resource, with what stands in its status.
        ended: What its pods say.
    """
    wanted = databases.restore(service)
    if wanted is None:
        return None
    found = next((each.restored for each in _restores(service, ended) if each.restored is not None), None)
    remembered = _status(body)
    if found is None and remembered is not None and remembered.name == wanted.name:
        return remembered
    return found


def held(store: OwnedStore, service: Service, body: Mapping[str, Any]) -> str | None:
    """Which database goes on serving until the one that shall is restored and ready; None: the one that the spec says.

    Where none served before, as in a new cluster, the one that is restored is the first to.
    """
    status, wanted = body.get("status", {}), databases.restore(service)
    former, asked = status.get("database", {}).get("serving", ""), addresses.database_in_use(service)
    if "version" not in status or asked == former or (wanted is not None and asked == wanted.source):
        return None
    if wanted is None or asked != wanted.name:
        # The restore was taken out before it was done: the volume of that name holds no whole database.
        return str(former)
    if _is_switched(store, service, asked, str(former)):
        return None
    was_made = restored(service, body, runs(store, service)) is not None
    return None if was_made and _workload(store, service, asked).ready > 0 else str(former)


def _is_switched(store: OwnedStore, service: Service, asked: str, former: str) -> bool:
    """Whether a pass that said nothing of it in the status has switched over: clients may have written since."""
    return _workload(store, service, former).wanted == 0 < _workload(store, service, asked).wanted


_NONE = Workload(wanted=0, replicas=0, ready=0, updated=0, available=0, settled=False)


def _workload(store: OwnedStore, service: Service, name: str) -> Workload:
    child = store.get("StatefulSet", service.namespace, addresses.named_database(service, name))
    return child.summary if child is not None and isinstance(child.summary, Workload) else _NONE


def _restores(service: Service, ended: Iterable[Run]) -> list[Run]:
    """Of the database that is to be restored, the last one at the end."""
    wanted = databases.restore(service)
    if wanted is None:
        return []
    stanza = addresses.named_database(service, wanted.name)
    mine = (each for each in ended if each.database == stanza and (each.restored is not None or _failed(each)))
    return sorted(mine, key=lambda each: each.ended)


def _failed(made: Run) -> bool:
    """Whether it is a restore that failed."""
    return bool(made.failed) and made.component not in (backups.COMPONENT, backups.DRILL)


def _status(body: Mapping[str, Any]) -> RestoreStatus | None:
    """What stands in a status; None where it is not there, or of another version of the operator."""
    value = body.get("status", {}).get("database", {}).get("restored")
    try:
        return None if value is None else RestoreStatus.model_validate(value)
    except ValidationError:
        return None
