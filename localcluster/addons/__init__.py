"""The add-ons of the local cluster. One more is one module here and one line below."""

from localcluster.addons import cert_manager, envoy_gateway, ingress_nginx, keycloak, metrics_server, monitoring, pebble
from localcluster.addons.base import AddOn, Context
from localcluster.errors import LocalClusterError

PLATFORM: tuple[AddOn, ...] = (
    metrics_server.ADD_ON,
    cert_manager.ADD_ON,
    ingress_nginx.ADD_ON,
    keycloak.ADD_ON,
    monitoring.ADD_ON,
)
"""What `up` installs, in the order in which they are applied: each after those it needs."""
ALL: tuple[AddOn, ...] = (envoy_gateway.ADD_ON, *PLATFORM, pebble.ADD_ON)
"""And what tests choose beside that. The Gateway API comes before cert-manager, which looks for it at its start."""


def choose(*names: str) -> tuple[AddOn, ...]:
    """These add-ons and those they need, in the order in which they are applied.

    Raises:
        LocalClusterError: There is none of such a name.
    """
    known = {add_on.name: add_on for add_on in ALL}
    wanted: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in known:
            raise LocalClusterError(f"There is no add-on {name!r}.", f"There are: {', '.join(known)}.")
        wanted.add(name)
        pending += set(known[name].needs) - wanted
    return tuple(add_on for add_on in ALL if add_on.name in wanted)


__all__ = ["ALL", "PLATFORM", "AddOn", "Context", "choose"]
