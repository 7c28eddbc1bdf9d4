"""Which managed databases a service has: the one that serves, one restored beside it, one that served before.

Each is built by the same builders, from a Service that says which one is meant.
"""

from dataclasses import replace

from sensorthings_operator.api.backup import Restore
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.service import Service


def running(service: Service) -> list[Service]:
    """Those that run pods: the one that serves, and the one that is restored beside it."""
    if addresses.instances(service) == 0:
        return []
    restored = beside(service)
    return [service] if restored is None else [service, restored]


def beside(service: Service) -> Service | None:
    """The database that is restored and does not serve yet."""
    wanted = restore(service)
    if wanted is None or wanted.name == addresses.database_in_use(service):
        return None
    # How it becomes a pair is no question: it begins as one.
    return replace(service, database=wanted.name, database_adopted=True)


def kept(service: Service) -> Service | None:
    """The database that served before a restored one, as long as the spec names it: it runs no pod."""
    wanted = restore(service)
    if wanted is None or wanted.name != addresses.database_in_use(service):
        return None
    asleep = service.spec.model_copy(update={"hibernated": True})
    return replace(service, database=wanted.source, spec=asleep)


def restore(service: Service) -> Restore | None:
    """What is to be restored, or was."""
    managed = service.spec.database.managed
    return None if managed is None else managed.restore


def is_restored(service: Service) -> bool:
    """Whether the database that is meant is made from backups."""
    wanted = restore(service)
    return wanted is not None and wanted.name == addresses.database_in_use(service)


def names(service: Service) -> list[str]:
    """Names of all databases of the service whose backups somebody may ask for."""
    wanted = restore(service)
    known = {addresses.database_name(service)}
    if wanted is not None:
        known |= {addresses.named_database(service, name) for name in (wanted.name, wanted.source)}
    return sorted(known)
