"""A managed database with its backups as runc runs it: the operator's own manifests, volumes as folders, no kubelet.

Each pod has a loopback address of its own, since all share the machine's network; names are those of the manifests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.api.status import BackupRequest
from sensorthings_operator.apply import authority, certificates
from sensorthings_operator.desired import children
from sensorthings_operator.desired.settings import OperatorSettings
from tests.e2e.images.conftest import listens_at
from tests.e2e.images.containers import await_true
from tests.unit.operator.samples import service

if TYPE_CHECKING:
    from pathlib import Path

    from sensorthings_operator.apply.authority import Pair
    from tests.e2e.images.containers import Container, Runtime
    from tests.unit.api.examples import Manifest

_IMAGE: Final = "postgresql"
_GROUP: Final = 999
_ADDRESSES: Final = {"air-repository": "127.0.7.1", "air-db": "127.0.7.2", "air-db-r1": "127.0.7.3"}
_DOMAIN: Final = "hamburg.svc.cluster.local"
STORE_KEYS: Final = {"accessKeyId": "backups-of-air", "secretAccessKey": "correct horse battery staple"}
_CREDENTIALS: Final = {"username": "sensorthings", "password": "test"}


@dataclass
class City:
    """The database of one service, what backs it up, and what is restored of it.

    Args:
        runtime: Runs its containers.
        folder: For volumes.
        storage: spec.database.managed.backup.storage.
        authority: Signs the certificate of the store, where there is one.
    """

    runtime: Runtime
    folder: Path
    storage: Manifest
    authority: Pair
    restore_to: str = ""
    running: list[Container] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self.runtime.configuration(_IMAGE)
        for name in ("air-db", "air-db-r1", "repository"):
            self.runtime.writable(_IMAGE, self.folder / name)
        self._secrets: dict[str, dict[str, bytes]] = {}
        hosts = self._children()["Secret", "air-backup-certificates"]["metadata"]["annotations"]
        named = hosts["sensorthings.city/certificate-hosts"].split(",")
        self._secrets["air-backup-certificates"] = certificates.issue({}, named, datetime.now(UTC))
        self._secrets["air-db-credentials"] = {key: value.encode() for key, value in _CREDENTIALS.items()}
        self._secrets["store"] = {key: value.encode() for key, value in STORE_KEYS.items()}
        self._secrets["store-ca"] = {"ca.crt": self.authority.pem}

    def _children(self, **fields: Any) -> dict[tuple[str, str], Manifest]:
        managed: Manifest = {"backup": {"storage": self.storage, "drill": {}}}
        restore = {"name": "r1", **({"to": self.restore_to} if self.restore_to else {})}
        spec = {"database": {"type": "Managed", "managed": {**managed, "restore": restore}}}
        made = children(service(spec, **fields), OperatorSettings())
        return {(each["kind"], each["metadata"]["name"]): each for each in made}

    def close(self) -> None:
        """End what runs."""
        for container in reversed(self.running):
            container.stop()

    def stop(self, *containers: Container) -> None:
        """End some of it."""
        for container in containers:
            container.stop()
            self.running.remove(container)

    def start_repository(self) -> Container | None:
        """The pod that has the volume; None where there is none."""
        made = self._children().get(("StatefulSet", "air-repository"))
        if made is None:
            return None
        volumes = {"data": self.folder / "repository"}
        container = self._run("air-repository", made["spec"]["template"], "pgbackrest", volumes)
        await_true(lambda: listens_at(_ADDRESSES["air-repository"], 8432), "the repository listens")
        return container

    def start_database(self, name: str = "air-db") -> tuple[Container, Container]:
        """PostgreSQL, and what gives its files to backups."""
        template = self._children()["StatefulSet", name]["spec"]["template"]
        volumes = {"data": self.folder / name, "tmp": self._volume("tmp")}
        database = self._run(name, template, "postgresql", volumes)
        probe = template["spec"]["containers"][0]["startupProbe"]["exec"]["command"]
        await_true(lambda: _succeeds(database, probe), f"{name} starts, see {database.bundle / 'log'}")
        files = self._run(name, template, "pgbackrest", volumes)
        await_true(lambda: listens_at(_ADDRESSES[name], 8432), "its files are served")
        return database, files

    def backup(self, **variables: str) -> tuple[int, dict[str, Any]]:
        """Run a backup: its exit code, and what it says."""
        template = self._children()["CronJob", "air-backup"]["spec"]["jobTemplate"]["spec"]["template"]
        return self._ends("air-backup", template, "backup", {"data": self.folder / "repository"}, variables)

    def check(self, timeline: int) -> tuple[int, dict[str, Any]]:
        """Look through the archive."""
        request = BackupRequest(number=1, kind="Check", time="2026-01-01T00:00:00Z", timeline=timeline)
        made = self._children(backup_request=request)
        (job,) = (each for (kind, name), each in made.items() if kind == "Job" and name.startswith("air-backup-"))
        return self._ends("air-backup", job["spec"]["template"], "backup", {"data": self.folder / "repository"}, {})

    def drill(self) -> tuple[int, dict[str, Any]]:
        """Run a restore for practice."""
        template = self._children()["CronJob", "air-drill"]["spec"]["jobTemplate"]["spec"]["template"]
        return self._ends("air-drill", template, "drill", {"data": self._volume("drill")}, {})

    def restore(self, to: str) -> tuple[int, dict[str, Any]]:
        """Make the files of the restored database up to a time."""
        self.restore_to = to
        template = self._children()["StatefulSet", "air-db-r1"]["spec"]["template"]
        volumes = {"data": self.folder / "air-db-r1"}
        return self._ends("air-db-r1", template, "restore", volumes, {"POD": "air-db-r1-0"})

    def sql(self, database: Container, statement: str) -> str:
        """Run SQL as the superuser in the service's database."""
        psql = ("psql", "--host=/tmp", "--username=postgres", "--dbname=sensorthings", "-XAtqc", statement)
        return database.execute(*psql).strip()

    def _ends(
        self, pod: str, template: Manifest, name: str, volumes: dict[str, Path], variables: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        tmp = self._volume("tmp")
        said = {"TERMINATION_LOG": "/tmp/said"}  # noqa: S108 - a mount of the container's own
        container = self._run(pod, template, name, {"tmp": tmp, **volumes}, {**said, **variables})
        code = container.process.wait(timeout=300)
        self.running.remove(container)
        file = tmp / "said"
        return code, json.loads(file.read_text()) if file.exists() else {"log": container.log}

    def _run(
        self,
        pod: str,
        template: Manifest,
        name: str,
        volumes: dict[str, Path],
        variables: dict[str, str] | None = None,
    ) -> Container:
        spec = template["spec"]
        made = next(each for each in (*spec.get("initContainers", ()), *spec["containers"]) if each["name"] == name)
        mounted = {each["name"]: self._mounted(pod, each) for each in spec["volumes"]}
        folders = {**{volume: folder for volume, folder in mounted.items() if folder is not None}, **volumes}
        mounts = {each["mountPath"]: folders[each["name"]] for each in made["volumeMounts"] if each["name"] in folders}
        environment = {each["name"]: each["value"] for each in made.get("env", ()) if "value" in each}
        container = self.runtime.run(
            _IMAGE,
            command=made["command"],
            environment={**environment, **(variables or {})},
            mounts={**mounts, "/etc/hosts": self._hosts()},
        )
        self.running.append(container)
        return container

    def _mounted(self, pod: str, volume: Manifest) -> Path | None:
        """What a kubelet would put into a volume; None where the runtime has one of its own."""
        if "secret" in volume:
            wanted = volume["secret"]
            held = self._secrets[wanted["secretName"]]
            keys = [item["key"] for item in wanted.get("items", ())] or list(held)
            return self._filled({key: held[key] for key in keys}, mode=0o440)
        if "configMap" in volume:
            data = self._children()["ConfigMap", volume["configMap"]["name"]]["data"]
            items = volume["configMap"].get("items") or [{"key": key, "path": key} for key in data]
            return self._filled({item["path"]: self._local(pod, data[item["key"]]).encode() for item in items})
        return self._volume("tmp") if volume["name"] == "tmp" else None

    def _local(self, pod: str, text: str) -> str:
        """A configuration that listens at the pod's own address alone."""
        address = _ADDRESSES.get(pod, "127.0.0.1")
        text = text.replace("tls-server-address=*", f"tls-server-address={address}")
        return text.replace("listen_addresses = '*'", f"listen_addresses = '{address}'")

    def _filled(self, files: dict[str, bytes], mode: int = 0o444) -> Path:
        folder = self._folder("files")
        folder.mkdir()
        for name, content in files.items():
            file = folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
            file.chmod(mode)
            os.chown(file, 0, _GROUP)
        return folder

    def _volume(self, name: str) -> Path:
        return self.runtime.writable(_IMAGE, self._folder(name))

    def _folder(self, name: str) -> Path:
        self._number += 1
        return self.folder / f"{name}-{self._number}"

    def _hosts(self) -> Path:
        names = {name: [f"{name}.{_DOMAIN}", f"{name}-0.{name}.{_DOMAIN}"] for name in _ADDRESSES}
        lines = [f"{address} {' '.join(names[name])}" for name, address in _ADDRESSES.items()]
        file = self.folder / "hosts"
        file.write_text("\n".join(["127.0.0.1 localhost store.city.internal", *lines, ""]))
        return file


def _succeeds(container: Container, command: list[str]) -> bool:
    return subprocess.run(["runc", "exec", container.name, *command], capture_output=True, check=False).returncode == 0


def authority_of_a_store() -> Pair:
    """It signs the store's certificate."""
    return authority.authority("store", datetime.now(UTC))


def empty(folder: Path) -> None:
    """Take everything out of a folder that a container may write to."""
    for each in folder.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
