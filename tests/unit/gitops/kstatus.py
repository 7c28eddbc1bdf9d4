"""The status of an object as kstatus computes it, by its published rules: what Flux and `kpt` wait for.

https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md. Only what holds for custom resources.
"""

from collections.abc import Mapping
from typing import Any, Literal

Status = Literal["Terminating", "InProgress", "Failed", "Current"]


def compute(live: Mapping[str, Any]) -> Status:
    """The first rule that has something to say decides."""
    if live["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = live.get("status", {})
    if "observedGeneration" in status and status["observedGeneration"] != live["metadata"]["generation"]:
        return "InProgress"
    conditions = status.get("conditions", ())
    for condition in conditions:
        if condition["status"] == "True" and condition["type"] in ("Reconciling", "Stalled"):
            return "InProgress" if condition["type"] == "Reconciling" else "Failed"
    ready = next((condition["status"] for condition in conditions if condition["type"] == "Ready"), None)
    # An object that has never heard of conditions is taken to be as it should be.
    return "Current" if ready in ("True", None) else "InProgress"
