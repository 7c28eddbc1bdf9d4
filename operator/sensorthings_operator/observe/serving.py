"""Which pod of a service is asked for its data, and as whom the operator comes. Used where services are asked."""

from sensorthings_operator.clients.access import NOBODY, PasswordOwner, SignIn
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.desired import basic, http, keycloak
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings


def http_pod(store: OwnedStore, service: Service) -> Pod | None:
    """The first pod of the HTTP module that is ready; None where there is none."""
    pods = [
        child.figures
        for child in store.of_service(service.key)
        if child.kind == "Pod" and child.component == http.COMPONENT and isinstance(child.figures, Pod)
    ]
    return min(pods, key=lambda pod: pod.name, default=None)


def to_write(service: Service, settings: OperatorSettings) -> SignIn:
    """With every right."""
    return SignIn(
        realm=keycloak.realm_of(service, settings),
        client=keycloak.delivery_client_of(service) if keycloak.is_used(service) else None,
        user=PasswordOwner(service.namespace, basic.delivery_secret_name(service)) if basic.is_used(service) else None,
    )


def to_read(service: Service, settings: OperatorSettings) -> SignIn:
    """As nobody, where everybody reads."""
    return NOBODY if service.spec.auth.anonymous_read else to_write(service, settings)
