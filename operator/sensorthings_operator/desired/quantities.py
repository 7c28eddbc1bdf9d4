"""Quantities of Kubernetes, such as 500m or 2Gi, as numbers. Used where something is sized by a container's resources.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity
"""

from decimal import Decimal
from typing import Final

from sensorthings_operator.desired.metadata import Manifest

_UNITS: Final = {"m": Decimal("0.001"), "": Decimal(1)} | {
    unit: Decimal(base) ** power
    for units, base in ((("k", "M", "G", "T", "P", "E"), 1000), (("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1024))
    for power, unit in enumerate(units, start=1)
}


def number(quantity: str) -> Decimal:
    """What a quantity says, in units of its own: bytes, or CPUs."""
    digits = quantity.rstrip("mkKMGTPEi")
    return Decimal(digits) * _UNITS[quantity.removeprefix(digits)]


def memory_bytes(resources: Manifest) -> int:
    """The memory limit of a container's resources, in bytes.

    Raises:
        KeyError: It has none.
    """
    return int(number(resources["limits"]["memory"]))
