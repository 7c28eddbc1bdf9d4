"""What is wrong with a description though each field by itself is allowed.

Sentences for people: the field, what is given, and what is allowed.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from sensorthings_operator.api.catalogue import Catalogue
from sensorthings_operator.desired.reading import Reading

_PATH: Final = "spec.catalogue"


def obstacles(spec: Catalogue) -> tuple[str, ...]:
    """What keeps descriptions from being written."""
    return tuple(_twice(spec))


def gaps(spec: Catalogue, reading: Reading) -> tuple[str, ...]:
    """What the spec describes and the data does not have; everything else is described."""
    return tuple(_of_data(spec, reading))


def _twice(spec: Catalogue) -> Iterator[str]:
    layers = [layer for group in spec.datasets for layer in group.layers]
    for field, given in (
        ("localId", [layer.local_id for layer in layers]),
        ("recordId", [spec.record_id, *(layer.record_id for layer in layers)]),
    ):
        for value, times in Counter(given).items():
            if value is not None and times > 1:
                yield f"{_PATH}.datasets: {field} {value} is given {times} times: each names one thing"


def _of_data(spec: Catalogue, reading: Reading) -> Iterator[str]:
    found = {(layer.service_name, layer.layer_name) for layer in reading.summary.layers if layer.datastreams}
    for group_number, group in enumerate(spec.datasets):
        path = f"{_PATH}.datasets[{group_number}]"
        known = sorted(layer for service, layer in found if service == group.service_name)
        for number, layer in enumerate(group.layers):
            if layer.layer_name not in known:
                there = ", ".join(known) or "none"
                yield (
                    f"{path}.layers[{number}].layerName: no Datastream of serviceName {group.service_name} has "
                    f"layerName {layer.layer_name}; there are: {there}"
                )
        if not known:
            yield (
                f"{path}.serviceName: no Datastream has serviceName {group.service_name} and a layerName in its "
                "properties: write them there, or name another one"
            )
