"""What the API server writes down: the calls of service accounts, without what they say.

A call's line tells the verb, the object and the role that allowed it: what a role of the chart grants and nobody uses,
and what somebody needs and has not. See https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

LOG: Final = "audit.log"
"""In the folder of the control plane."""
_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        # The controllers of Kubernetes itself.
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
_MEBIBYTES: Final = 512


def arguments(folder: Path) -> list[str]:
    """Of kube-apiserver, with the policy written to the folder. The log and its predecessor take a GiB at most."""
    policy = folder / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(_POLICY))
    return [
        f"--audit-policy-file={policy}",
        f"--audit-log-path={folder / LOG}",
        f"--audit-log-maxsize={_MEBIBYTES}",
        "--audit-log-maxbackup=1",
    ]
