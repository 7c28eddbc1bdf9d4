"""What a connector asks for as a pure function: connector, service and the operator's settings in, manifests out.

A new child resource is a new module here and one line in ``_BUILDERS``.
"""

from collections.abc import Callable
from typing import Final

from sensorthings_operator.desired.connector import configuration, networkpolicy, workload
from sensorthings_operator.desired.connector.feed import Feed
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.settings import OperatorSettings

_BUILDERS: Final[tuple[Callable[[Feed, OperatorSettings], list[Manifest]], ...]] = (
    configuration.build,
    networkpolicy.build,
    workload.build,
)


def children(feed: Feed, settings: OperatorSettings) -> list[Manifest]:
    """Every manifest of a connector that runs in the cluster; nothing for an external one."""
    if feed.connector.spec.container is None:
        return []
    return [manifest for build in _BUILDERS for manifest in build(feed, settings)]
