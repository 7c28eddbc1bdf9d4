"""The ServiceAccounts that the pods run as. None of them has a right, but that of a pair of databases.

Nor does a pod have its token, unless it says so itself.
"""

from typing import Final

from sensorthings_operator.desired import databases
from sensorthings_operator.desired.addresses import (
    bus_name,
    catalogue_name,
    database_component,
    database_name,
    portal_name,
)
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

_FROST: Final = "frost"


def frost_account_name(service: Service) -> str:
    """Account of FROST-Server's modules and of the schema Job."""
    return f"{service.name}-frost"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """An account for FROST-Server, and one each for the bus, a managed database, the catalogue and the page."""
    accounts = [(_FROST, frost_account_name(service))]
    if service.spec.bus.type == "Mosquitto":
        accounts.append(("bus", bus_name(service)))
    if service.spec.catalogue is not None and service.spec.catalogue.endpoint is not None:
        accounts.append(("catalogue", catalogue_name(service)))
    accounts += [(database_component(each), database_name(each)) for each in databases.running(service)]
    if service.spec.portal is not None:
        accounts.append(("portal", portal_name(service)))
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(service, component, name),
            "automountServiceAccountToken": False,
        }
        for component, name in accounts
    ]
