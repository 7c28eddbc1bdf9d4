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
        binary: kubectl.
        kubeconfig: Names the cluster and the user; where there is none kubectl looks where it always does.
        placement: Namespaces to call it in, where the kubeconfig's server is only reached there.
        context: Of the kubeconfig; its current one where it is empty.
    """

    binary: Path
    kubeconfig: Path | None
    placement: Placement = ON_THE_HOST
    context: str = ""

    def run(self, *args: str, stdin: str | None = None, remedy: str = "", timeout: float | None = 600) -> str:
        """Its standard output. Raises LocalClusterError with its message when it fails; `timeout` in seconds."""
        command = [*self.placement.enter(), str(self.binary), *self._cluster("--context"), *args]
        return run(command, stdin=stdin, remedy=remedy, timeout=timeout)

    def for_helm(self) -> list[str]:
        """The options by which Helm finds the same cluster as the same user."""
        return self._cluster("--kube-context")

    def _cluster(self, context_option: str) -> list[str]:
        options = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        return [*options, f"{context_option}={self.context}"] if self.context else options

    def get(self, *args: str) -> Any:
        """The parsed result of `kubectl get ARGS -o json`."""
        return json.loads(self.run("get", *args, "-o", "json"))

    def find(self, *args: str) -> Any:
        """As `get` for one object; None where it is not there."""
        text = self.run("get", *args, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

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
