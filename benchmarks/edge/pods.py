"""What the pods of a service's modules are doing while load is put on it: how many are ready, and what they use."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, Final, Self

from kubernetes.utils.quantity import parse_quantity

if TYPE_CHECKING:
    from tests.e2e.services import Service

PARTS: Final = ("http", "mqtt")
SAMPLE_SECONDS: Final = 1.0
_USE_SAMPLES: Final = 5
"""How many looks at the pods there are to one at what they use."""


@dataclass
class Pods:
    """Looks at the pods of each part while the block runs, in a thread of its own."""

    service: Service
    begun: float
    ready: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: {part: [] for part in PARTS})
    """Seconds since ``begun``, and how many were ready then."""
    cores: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: {part: [] for part in PARTS})
    """Seconds since ``begun``, and what metrics-server said then that one of them used."""

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def now(self, part: str) -> int:
        """How many are ready."""
        return self.ready[part][-1][1] if self.ready[part] else 0

    def since(self, part: str, count: int, begin: float) -> float | None:
        """Seconds from ``begin`` until they became so many; None where that never came."""
        changes = pairwise(self.ready[part])
        return next((at - begin for (_, was), (at, now) in changes if at >= begin and now == count != was), None)

    def _look(self) -> None:
        looks = 0
        while not self._ended.wait(SAMPLE_SECONDS):
            for part in PARTS:
                self.ready[part].append((self._seconds(), len(self.service.ready_pods(part))))
            if looks % _USE_SAMPLES == 0:
                for part, cores in used(self.service).items():
                    self.cores[part].append((self._seconds(), cores))
            looks += 1

    def _seconds(self) -> float:
        return time.perf_counter() - self.begun


def used(service: Service) -> dict[str, float]:
    """Cores that the module of each part used lately in each of its pods on average, as metrics-server says.

    Without the parts of which it knows none.
    """
    measured = service.kubernetes.items(f"/apis/metrics.k8s.io/v1beta1/namespaces/{service.namespace}/pods")
    containers = [(each["name"], each["usage"]["cpu"]) for pod in measured for each in pod["containers"]]
    cores = {part: [_cores(used) for name, used in containers if name == f"frost-{part}"] for part in PARTS}
    return {part: mean(each) for part, each in cores.items() if each}


def _cores(quantity: str) -> float:
    return float(parse_quantity(quantity))  # type: ignore[no-untyped-call]
