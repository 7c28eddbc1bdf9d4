"""Every pod passes the profile ``restricted`` of https://kubernetes.io/docs/concepts/security/pod-security-standards.

``tests/apiserver/reconcile/test_pod_security.py`` has an API server say the same.
"""

from collections.abc import Iterator

import pytest

from sensorthings_operator.desired.metadata import Manifest
from tests.golden.cases import NAMES, made

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SYSCTLS = {"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"}
"""Those of the profile's that pods use; Kubernetes has them in it since 1.29."""


def _pods(name: str) -> Iterator[Manifest]:
    for manifest in made(name):
        spec = manifest.get("spec", {})
        spec = spec["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else spec
        if "template" in spec:
            yield spec["template"]["spec"]


@pytest.mark.parametrize("name", NAMES)
def test_pods_are_restricted(name: str) -> None:
    pods = list(_pods(name))
    assert len(pods) >= 2
    for pod in pods:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {each["name"] for each in pod["securityContext"].get("sysctls", ())} <= _SYSCTLS
        for volume in pod["volumes"]:
            assert volume.keys() - {"name"} <= _VOLUMES
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True, "more than restricted asks for"
            assert not {"privileged", "procMount", "runAsUser"} & context.keys()
            assert not any("hostPort" in port for port in container.get("ports", ()))
