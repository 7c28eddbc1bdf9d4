"""The ConfigMap with the CA of a connector's service. Nothing in it is secret."""

from typing import Final

from sensorthings_operator.desired.connector.feed import Feed, metadata
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.settings import OperatorSettings

CA: Final = "ca.crt"


def build(feed: Feed, _: OperatorSettings) -> list[Manifest]:
    """The ConfigMap; nothing where a public CA vouches for the service."""
    if not feed.authorities:
        return []
    described = metadata(feed.connector, feed.connector.workload_name)
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": {CA: feed.authorities}}]
