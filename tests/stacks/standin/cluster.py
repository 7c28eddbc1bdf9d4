"""A real API server beside the clouds that stand in: kubectl applies what a program asks of Kubernetes, Helm installs.

As Pulumi's own provider does it: server-side under a field manager of its own, never by force; a preview is a dry run
on the server; a Release is one of Helm. It waits for what it must (a kind that is to be served), not for Deployments.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from localcluster.commands import run
from localcluster.errors import LocalClusterError
from tests.stacks import programs
from tests.stacks.standin.clouds import Clouds
from tests.stacks.standin.plan import Refused
from tests.stacks.standin.wire import has_unknown, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcluster.kubectl import Kubectl
    from tests.stacks.standin.state import Record

MANAGER: Final = "pulumi-stand-in"
_RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_DEFINITION: Final = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
_NOT_YET: Final = re.compile(r'namespaces "[^"]+" not found|no matches for kind|ensure CRDs are installed first')
"""What a dry run is told where another resource of the same plan would come first."""


class RealCluster(Clouds):
    """Kubernetes and Helm for real, Azure by the stand-in."""

    def __init__(
        self,
        kubectl: Kubectl,
        helm: Path,
        charts: Mapping[str, Path],
        values: Mapping[str, Mapping[str, Any]],
        *,
        wait: bool,
    ) -> None:
        """Of one cluster.

        Args:
            kubectl: Says which, and who.
            helm: The helm command.
            charts: Folders of the charts that the programs name by a repository.
            values: What else a chart is told here, by release: images that this machine has.
            wait: Whether a release has to become ready; not where no node is.
        """
        super().__init__()
        self._kubectl, self._helm, self._charts, self._values, self._wait = kubectl, helm, charts, values, wait

    def create(self, urn: str, type_: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Apply it, or install it."""
        if not type_.startswith("kubernetes:"):
            return super().create(urn, type_, inputs)
        self.writes.append(("create", urn))
        outputs = self._applied(type_, inputs)
        metadata = outputs.get("metadata", {"namespace": inputs.get("namespace"), "name": inputs.get("name")})
        return "/".join(filter(None, (opened(metadata.get("namespace")), opened(metadata["name"])))), outputs

    def update(self, urn: str, type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Apply it again, or upgrade the release."""
        if not type_.startswith("kubernetes:"):
            return super().update(urn, type_, inputs)
        self.writes.append(("update", urn))
        return self._applied(type_, inputs)

    def delete(self, record: Record) -> None:
        """Delete it, or uninstall the release; ends when it is gone."""
        super().delete(record)
        inputs = opened(record.inputs)
        try:
            if record.type == _RELEASE:
                self.helm("uninstall", inputs["name"], f"--namespace={inputs['namespace']}", "--wait")
            elif record.type.startswith("kubernetes:"):
                what = json.dumps({key: inputs[key] for key in ("apiVersion", "kind", "metadata")})
                self._kubectl.run("delete", "--filename=-", "--ignore-not-found", "--timeout=120s", stdin=what)
        except LocalClusterError as error:
            raise Refused(f"{record.urn}: {error.problem}") from None

    def preview(self, type_: str, inputs: dict[str, Any]) -> None:
        """Ask the API server, by a dry run. Releases are not asked about: their charts may need what comes first."""
        if not type_.startswith("kubernetes:") or type_ == _RELEASE or has_unknown(inputs):
            return
        try:
            self._apply(opened(inputs), "--dry-run=server")
        except LocalClusterError as error:
            if not _NOT_YET.search(error.problem):
                raise Refused(f"{type_}: {error.problem}") from None

    def helm(self, *arguments: str) -> str:
        """Helm's standard output, on this cluster. Raises LocalClusterError where it fails."""
        return run([self._helm, *self._kubectl.for_helm(), *arguments])

    def _applied(self, type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
        try:
            if type_ == _RELEASE:
                self._install(opened(inputs))
                return inputs
            live = self._apply(opened(inputs))
            if type_ == _DEFINITION:
                name = f"customresourcedefinition/{live['metadata']['name']}"
                self._kubectl.run("wait", "--for=condition=Established", name, "--timeout=60s")
        except LocalClusterError as error:
            raise Refused(f"{type_}: {error.problem}") from None
        metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
        # Not the rest of what is there: of a Secret that would be its data, in the open.
        return {**inputs, "metadata": metadata}

    def _apply(self, manifest: dict[str, Any], *options: str) -> dict[str, Any]:
        how = ("apply", "--server-side", f"--field-manager={MANAGER}", "--filename=-", "--output=json", *options)
        applied: dict[str, Any] = json.loads(self._kubectl.run(*how, stdin=json.dumps(manifest)))
        return applied

    def _install(self, inputs: dict[str, Any]) -> None:
        name, chart = inputs["name"], inputs["chart"]
        folder = self._charts.get(chart, programs.STACKS / "platform" / chart)
        with tempfile.TemporaryDirectory() as temporary:
            files = []
            for number, values in enumerate((inputs.get("values", {}), self._values.get(name, {}))):
                file = Path(temporary) / f"{number}.json"
                file.write_text(json.dumps(values))
                files.append(f"--values={file}")
            options = [f"--namespace={inputs['namespace']}", f"--timeout={inputs.get('timeout', 300)}s", *files]
            options += ["--atomic"] if self._wait and inputs.get("atomic") else []
            self.helm("upgrade", "--install", name, str(folder), *options)
