"""Whether a single managed database that becomes a pair is run by Patroni by now. Used by the reconcile."""

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions.observed import Workload
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe.gather import instances


def is_adopted(store: OwnedStore, service: Service) -> bool:
    """Whether there may be more than one pod: unless there is a single one, to which Patroni gave no role yet."""
    if not addresses.is_pair(service):
        return True
    child = store.get("StatefulSet", service.namespace, addresses.database_name(service))
    single = child is not None and isinstance(child.summary, Workload) and child.summary.wanted == 1
    return not single or bool(instances(store, service))
