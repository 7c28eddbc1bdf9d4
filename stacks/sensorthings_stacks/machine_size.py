"""What a size of Azure's virtual machines means: virtual processors and memory. PostgreSQL is tuned by it.

Source: Microsoft, "Sizes for virtual machines in Azure", series Dsv5, Ddsv5, Dasv5, Dadsv5, Esv5, Edsv5, Easv5, Eadsv5.
Within a family, memory goes with the processors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SIZE: Final = re.compile(r"Standard_(?P<family>[DE])(?P<vcpus>[0-9]{1,3})a?d?s_v5")
_GIBIBYTES_PER_VCPU: Final = {"D": 4, "E": 8}
_VCPUS: Final = (2, 4, 8, 16, 20, 32, 48, 64, 96)
_ALLOWED: Final = "a size of the series Ds, Dds, Das, Dads, Es, Eds, Eas or Eads, version 5, such as Standard_E8ds_v5"


@dataclass(frozen=True)
class MachineSize:
    """Processors and memory of a machine."""

    vcpus: int
    """Virtual processors."""
    memory_mebibytes: int
    """Memory, in MiB."""


def machine_size(name: str) -> MachineSize:
    """Processors and memory of a size, from its name.

    Raises:
        ValueError: The name is of no series that database machines are known to run on.
    """
    match = _SIZE.fullmatch(name)
    if match is None or int(match["vcpus"]) not in _VCPUS:
        raise ValueError(f"must be {_ALLOWED}: the database is tuned by processors and memory, which the name tells")
    vcpus = int(match["vcpus"])
    return MachineSize(vcpus=vcpus, memory_mebibytes=vcpus * _GIBIBYTES_PER_VCPU[match["family"]] * 1024)
