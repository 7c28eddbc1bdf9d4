"""The same children as a Helm chart: ``helm install`` beside ``kubectl apply`` of a service, in turns."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final

import yaml

from benchmarks.fleet import services
from benchmarks.fleet.eyes import Eyes, key_of
from benchmarks.fleet.measuring import Turns
from localcluster import parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from benchmarks.fleet.client import BareClient, Manifest
    from benchmarks.fleet.cluster import FleetCluster
    from benchmarks.fleet.services import Credentials
    from sensorthings_operator.desired.settings import OperatorSettings

_NAMESPACE: Final = services.NAMESPACES[1]
_RELEASE: Final = "the-release-of-helm"
_REST: Final = 1.0


class Installing:
    """Brings services up in both ways."""

    def __init__(  # noqa: PLR0913, PLR0917 - what both ways need
        self,
        cluster: FleetCluster,
        client: BareClient,
        eyes: Eyes,
        credentials: Credentials,
        settings: OperatorSettings,
        folder: Path,
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._eyes = eyes
        self._credentials = credentials
        self._settings = settings
        self._folder = folder
        service = services.service(_NAMESPACE, _RELEASE)
        service["metadata"] |= {"uid": "none", "generation": 1}
        children = services.children(service, credentials, settings)
        self._keys = [key_of(child) for child in children]
        self._chart = _write_chart(folder / "chart", children)

    async def compared(self, rounds: int, *, at_once: int) -> Turns:
        """Seconds for each service, from the start of the command until all children were seen; ``at_once`` of them."""
        results = Turns()
        for number in range(rounds):
            names = [f"{number}-{index}" for index in range(at_once)]
            results.operator.append(await self._all(self._by_kubectl, [f"ours-{at_once}-{each}" for each in names]))
            results.bare.append(await self._all(self._by_helm, [f"helm-{at_once}-{each}" for each in names]))
        return results

    async def _all(self, way: Callable[[str], Awaitable[None]], names: Sequence[str]) -> float:
        await self._client.apply_all([services.secret(_NAMESPACE, name, self._credentials) for name in names])
        await asyncio.sleep(_REST)
        begun = time.monotonic()
        await asyncio.gather(*(way(name) for name in names))
        seconds = (time.monotonic() - begun) / len(names)
        await asyncio.sleep(_REST * len(names))
        return seconds

    async def _by_kubectl(self, name: str) -> None:
        manifest = services.service(_NAMESPACE, name)
        file = self._folder / f"{name}.json"
        file.write_text(json.dumps(manifest))
        kubectl = self._cluster.kubectl
        told = await _run(
            kubectl.binary, f"--kubeconfig={kubectl.kubeconfig}", "apply", f"--filename={file}", "--output=json"
        )
        children = services.children(json.loads(told), self._credentials, self._settings)
        await self._eyes.all_there([key_of(child) for child in children])

    async def _by_helm(self, name: str) -> None:
        kubeconfig = f"--kubeconfig={self._cluster.kubectl.kubeconfig}"
        helm = parts.ensure(parts.HELM) / "helm"
        await _run(helm, kubeconfig, "install", name, self._chart, f"--namespace={_NAMESPACE}")
        await self._eyes.all_there([(kind, where, each.replace(_RELEASE, name)) for kind, where, each in self._keys])


def _write_chart(folder: Path, children: list[Manifest]) -> Path:
    """A chart of these children, in which the release's name stands for the service's."""
    (folder / "templates").mkdir(parents=True)
    chart: dict[str, Any] = {"apiVersion": "v2", "name": "service", "version": "1.0.0"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    for number, child in enumerate(children):
        del child["metadata"]["ownerReferences"]
        text = yaml.safe_dump(child).replace(_RELEASE, "{{ .Release.Name }}")
        (folder / "templates" / f"{number}.yaml").write_text(text)
    return folder


async def _run(*command: str | Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: {errors.decode(errors='replace')}")
    return told
