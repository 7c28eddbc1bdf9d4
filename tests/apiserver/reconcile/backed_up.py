"""A service with backups on a real API server: its spec, what pods say, and what is looked at. No pod runs anywhere."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.cli.backup import requests

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk
    from tests.unit.api.examples import Manifest

LABEL: Final = "20260101-000000F"
NEWEST: Final = int(time.time()) - 24 * 60 * 60
"""A day ago: a backup of then is none that is overdue."""
BACKED_UP: Final = json.dumps({"backups": [[LABEL, NEWEST, 1000, 100]], "oldest": NEWEST})
COUNTED: Final = json.dumps(
    {"label": LABEL, "seconds": 9, "observations": 7, "newest": NEWEST, "last_transaction": NEWEST}
)
_SCHEDULE: Final = "0 0 29 2 *"


def at(minutes: int) -> str:
    """So many minutes after that, as Kubernetes writes a time."""
    return datetime.fromtimestamp(NEWEST + 60 * minutes, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_backups(storage: Manifest | None = None, **managed: Any) -> Manifest:
    """A spec."""
    backup = {"schedule": _SCHEDULE, "storage": storage or {"volume": {"size": "1Gi"}}}
    return {"database": {"type": "Managed", "managed": {"backup": backup, **managed}}}


def backups(walk: Walk) -> dict[str, Any]:
    """What the status says of them."""
    found: dict[str, Any] = walk.service()["status"]["database"]["backup"]
    return found


def jobs(walk: Walk) -> list[str]:
    """Names of the Jobs that the operator made for them."""
    made = walk.cluster.list("Job", "app.kubernetes.io/component=backup")
    owners = {each["metadata"]["name"]: each["metadata"]["ownerReferences"][0]["kind"] for each in made}
    return [name for name, kind in owners.items() if kind == "SensorThingsService"]


def start(walk: Walk, cron_job: str) -> str:
    """A Job as ``sensorthings backup`` makes it; its name."""
    live = walk.appears("CronJob", cron_job)
    made = walk.cluster.create(requests.job(live, datetime.now(UTC)))
    return str(made["metadata"]["name"])


def ends(walk: Walk, component: str, said: str, *, well: bool = True, at: str = at(1), job: str = "") -> None:
    """The next pod of a part ends, or that of a Job, and says something."""
    walk.kubelet.end(component, said, well=well, at=at, job=job)
