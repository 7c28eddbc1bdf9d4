"""A service whose managed database is backed up, for tests: its spec, what is made of it, what is known of it."""

from datetime import UTC, datetime
from typing import Any, Final

from sensorthings_operator.api.status import BackupEntry
from sensorthings_operator.conditions.backups import Backups
from sensorthings_operator.desired import children
from sensorthings_operator.desired.metadata import Manifest
from tests.unit.operator.samples import SETTINGS, service

VOLUME: Final[Manifest] = {"volume": {"size": "20Gi"}}
S3: Final[Manifest] = {
    "s3": {
        "endpoint": "https://minio.city.internal:9000",
        "bucket": "backups",
        "credentialsSecretRef": {"name": "minio"},
        "caSecretRef": {"name": "minio-ca"},
    }
}
NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_ENTRY: Final = BackupEntry(label="20261123-011700F", time="2026-11-23T01:17:30Z", size_bytes=10, stored_bytes=2)
LOCATION: Final = "volume of air-repository"
WELL: Final = Backups(
    "air-db",
    LOCATION,
    succeeded="2026-11-23T01:17:30Z",
    oldest="2026-11-09T01:17:30Z",
    kept=(_ENTRY,),
    due="2026-11-24T01:17:00Z",
)


def backed_up(storage: Manifest = VOLUME, *, instances: int = 1, **managed: Any) -> Manifest:
    """A spec with backups, and what else it says of its managed database."""
    backup = {"storage": storage, **managed.pop("backup", {})}
    return {"database": {"type": "Managed", "managed": {"instances": instances, "backup": backup, **managed}}}


def children_of(spec: Manifest, **fields: Any) -> dict[tuple[str, str], Manifest]:
    """What is made of a spec and of what else is known of the service, by kind and name."""
    return {(m["kind"], m["metadata"]["name"]): m for m in children(service(spec, **fields), SETTINGS)}


def pod_of(manifest: Manifest) -> Manifest:
    """The pod of a workload."""
    template = manifest["spec"]
    if manifest["kind"] == "CronJob":
        template = template["jobTemplate"]["spec"]
    pod: Manifest = template["template"]["spec"]
    return pod


def files_of(spec: Manifest) -> dict[str, str]:
    """The ConfigMap of the backups."""
    data: dict[str, str] = children_of(spec)["ConfigMap", "air-backup"]["data"]
    return data


def sections_of(text: str) -> dict[str, dict[str, str]]:
    """pgBackRest's INI, by sections."""
    sections: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line:
            option, _, value = line.partition("=")
            section[option] = value
    return sections
