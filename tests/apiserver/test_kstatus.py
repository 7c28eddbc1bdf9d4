"""The service's status in a real API server, as kstatus and `kubectl wait` read it in each phase.

The statuses are those that the operator writes; ``tests/unit/gitops`` holds the same phases against Argo CD and Flux.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.unit.gitops import kstatus
from tests.unit.gitops.phases import PHASES, Phase

if TYPE_CHECKING:
    from tests.apiserver.conftest import Kubectl

pytestmark = pytest.mark.usefixtures("crds")

_WITH_STATUS: Final = [phase for phase in PHASES if phase.live["status"]["observedGeneration"] == 1]
_BY_NAME: Final = {phase.name: phase for phase in PHASES}


class _Service:
    """The service of a phase, as a person has it in the API server."""

    def __init__(self, kubectl: Kubectl, namespace: str, phase: Phase) -> None:
        self._kubectl = kubectl
        self._here = f"--namespace={namespace}"
        metadata = {"name": phase.live["metadata"]["name"]}
        manifest = {**phase.live, "metadata": metadata}
        del manifest["status"]
        kubectl("create", self._here, "--filename=-", manifest=manifest)

    def live(self) -> Any:
        return self._kubectl("get", "sta/air", self._here)

    def patch(self, patch: dict[str, Any], *options: str) -> None:
        self._kubectl("patch", "sta/air", self._here, "--type=merge", f"--patch={json.dumps(patch)}", *options)

    def write(self, phase: Phase) -> None:
        """What the operator writes."""
        self.patch({"status": phase.live["status"]}, "--subresource=status")

    def is_awaited(self) -> bool:
        """Whether `kubectl wait` would still wait for it to be Ready."""
        waited = self._kubectl.run("wait", "--for=condition=Ready", "--timeout=1s", "sta/air", self._here)
        return waited.returncode != 0


@pytest.mark.parametrize("phase", _WITH_STATUS, ids=lambda phase: phase.name)
def test_each_phase_is_read_as_it_is(phase: Phase, kubectl: Kubectl, namespace: str) -> None:
    service = _Service(kubectl, namespace, phase)
    service.write(phase)
    if phase.live["metadata"]["generation"] == 2:
        service.patch({"spec": {"http": {"replicas": 3}}})
    assert kstatus.compute(service.live()) == phase.kstatus
    if phase.name != "edited and not seen again":
        assert service.is_awaited() == (phase.kstatus != "Current")


def test_a_service_that_nobody_has_seen_is_in_progress(kubectl: Kubectl, namespace: str) -> None:
    service = _Service(kubectl, namespace, _BY_NAME["unseen"])
    assert service.live()["status"] == _BY_NAME["unseen"].live["status"]
    assert kstatus.compute(service.live()) == "InProgress"
    assert service.is_awaited()


def test_kubectl_waits_for_a_new_spec_to_be_seen(kubectl: Kubectl, namespace: str) -> None:
    service = _Service(kubectl, namespace, _BY_NAME["serving"])
    service.write(_BY_NAME["serving"])
    assert not service.is_awaited()
    service.patch({"spec": {"http": {"replicas": 3}}})
    assert service.is_awaited(), "Ready is about the spec before"
