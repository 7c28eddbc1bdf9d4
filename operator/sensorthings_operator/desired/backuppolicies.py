"""NetworkPolicies of the pods around backups: the one that has their volume, those that make and those that try them.

The databases' own policies say who may read their files, and where their write-ahead log goes (networkpolicy).
"""

from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.database import backups, pgbackrest, repository
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.networkpolicy import backup_storage, dns, parts, policy, rule
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """A policy for each part; none without backups, or where the operator's settings say so."""
    backup = pgbackrest.wanted(service)
    if backup is None or not settings.network_policies:
        return []
    sources = [addresses.database_component(each) for each in databases.running(service)]
    files = rule([pgbackrest.PORT], destination=[parts(service, addresses.database_component(service))])
    # A Job has the repository itself: the volume, or the store.
    store = backup_storage(service) if backup.storage.s3 is not None else []
    made = [policy(service, backups.COMPONENT, ingress=[], egress=[*dns(), files, *store])]
    if backup.drill.enabled:
        made.append(policy(service, backups.DRILL, ingress=[], egress=[*dns(), *backup_storage(service)]))
    if backup.storage.volume is not None:
        users = parts(service, *sources, *([backups.DRILL] if backup.drill.enabled else []))
        made.append(policy(service, repository.COMPONENT, ingress=[rule([pgbackrest.PORT], source=[users])]))
    return made
