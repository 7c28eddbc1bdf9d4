"""Talks to the cluster by kubectl, as a person would: what `up` does can be repeated by hand with the same words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcluster.commands import run
from localcluster.processes import ON_THE_HOST, Placement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with a kubeconfig.

    Args:
        binary: The kubectl of the part `kubernetes`.
        kubeconfig: Names the cluster and the user.
        placement: Namespaces to call it in, where the kubeconfig's server is only reached there.
    """

    binary: Path
    kubeconfig: Path
    placement: Placement = ON_THE_HOST

    def run(self, *args: str, stdin: str | None = None, remedy: str = "", timeout: float | None = 600) -> str:
        """Its standard output. Raises LocalClusterError with its message when it fails; `timeout` in seconds."""
        command = [*self.placement.enter(), str(self.binary), f"--kubeconfig={self.kubeconfig}", *args]
        return run(command, stdin=stdin, remedy=remedy, timeout=timeout)

    def get(self, *args: str) -> Any:
        """The parsed result of `kubectl get ARGS -o json`."""
        return json.loads(self.run("get", *args, "-o", "json"))

    def apply(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Apply manifests server-side as the field manager `localcluster`."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.run(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=localcluster",
            "-f",
            "-",
            stdin=json.dumps(listed),
        )
