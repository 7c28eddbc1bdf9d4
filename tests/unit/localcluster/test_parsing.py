"""What other programs' output and files are read as."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from localcluster import cgroups, debian, dns, imagestore, install, node
from localcluster.commands import follow, run
from localcluster.display import seconds_text
from localcluster.errors import LocalClusterError
from localcluster.install import ServiceName


def test_installed_packages_are_told_from_removed_ones() -> None:
    listing = "runc installed\nbuildah config-files\niptables not-installed\nkmod unknown ok\n\n"
    assert debian.parse_installed(listing) == {"runc"}


def test_both_layouts_of_cgroups_are_read() -> None:
    mounts = (
        "proc /proc proc rw 0 0\n"
        "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    )
    assert cgroups.parse_mounts(mounts) == [
        cgroups.Hierarchy(Path("/sys/fs/cgroup/cpu"), unified=False),
        cgroups.Hierarchy(Path("/sys/fs/cgroup/unified"), unified=True),
    ]


def _archive(path: Path, manifest: object) -> Path:
    content = json.dumps(manifest).encode()
    entry = tarfile.TarInfo("manifest.json")
    entry.size = len(content)
    with tarfile.open(path, "w") as tar:
        tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("config", ["abc123.json", "blobs/sha256/abc123"])
def test_an_image_is_known_by_its_configuration(tmp_path: Path, config: str) -> None:
    assert imagestore.config_digest(_archive(tmp_path / "x.tar", [{"Config": config}])) == "abc123"


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no")
    with pytest.raises(LocalClusterError, match=r"x\.tar is no docker-archive"):
        imagestore.config_digest(tmp_path / "x.tar")


def test_labels_of_loaded_images_are_read() -> None:
    listing = (
        "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
        "localhost/a:1 application/vnd sha256:1 1.0 MiB linux/amd64 io.cri=managed,sensorthings.city/config=ff\n"
        "localhost/b:1 application/vnd sha256:2 1.0 MiB linux/amd64 -\n"
    )
    assert imagestore.parse_labels(listing) == {"localhost/a:1": "ff"}


def test_the_image_of_coredns_is_found_by_its_repository() -> None:
    assert (
        dns.image_among(["localhost/sensorthings/coredns-x:1", f"{dns.REPOSITORY}:1.15.0"])
        == f"{dns.REPOSITORY}:1.15.0"
    )
    with pytest.raises(LocalClusterError):
        dns.image_among([])


def test_the_services_of_a_manifest() -> None:
    manifest = (
        "kind: Secret\nmetadata: {name: x}\n---\n---\n"
        "kind: SensorThingsService\nmetadata: {name: a, namespace: hamburg}\n---\n"
        "kind: SensorThingsService\nmetadata: {name: b}\n"
    )
    documents = [document for document in yaml.safe_load_all(manifest) if document]
    assert install.services_in(documents) == [ServiceName("hamburg", "a"), ServiceName("default", "b")]


def test_conditions_that_are_not_met() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "Waiting", "message": "for the database"},
        {"type": "HTTPAvailable", "status": "True", "reason": "Up"},
        {"type": "BusConnected", "status": "Unknown", "reason": "NotSeen"},
        {"type": "Stalled", "status": "True", "reason": "NoSecret", "message": "db"},
        {"type": "Reconciling", "status": "False", "reason": "Done"},
    ]
    assert install.unmet_conditions({"status": {"conditions": conditions}}) == [
        "Ready=False (Waiting): for the database",
        "BusConnected=Unknown (NotSeen): ",
        "Stalled=True (NoSecret): db",
    ]


@pytest.mark.parametrize(
    ("status", "heartbeat", "fresh"),
    [
        ("True", "2026-01-01T10:00:00Z", True),
        ("True", "2026-01-01T09:59:59Z", False),
        ("False", "2026-01-01T10:00:05Z", False),
    ],
)
def test_only_a_report_of_the_running_kubelet_counts(status: str, heartbeat: str, *, fresh: bool) -> None:
    condition = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat}
    start = datetime(2026, 1, 1, 10, 0, 0, 700000, tzinfo=UTC)
    assert node.ready_since({"status": {"conditions": [condition]}}, start) is fresh


def test_a_failed_command_says_what_it_said() -> None:
    with pytest.raises(LocalClusterError, match=r"(?s)ended with code 3:\nbroken.*mend it"):
        run(["sh", "-c", "echo broken >&2; exit 3"], remedy="mend it")
    with pytest.raises(LocalClusterError, match="is not there"):
        run(["no-such-command-anywhere"])
    with pytest.raises(LocalClusterError, match="did not end"):
        run(["sleep", "60"], timeout=0.05)


def test_a_followed_command_passes_on_its_lines() -> None:
    lines: list[str] = []
    follow(["sh", "-c", "echo one; echo two >&2"], lines.append)
    assert lines == ["one", "two"]
    with pytest.raises(LocalClusterError, match="code 4:\nlast words"):
        follow(["sh", "-c", "echo last words; exit 4"], lines.append)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (12.4, "12 s"), (306, "5 min 6 s"), (59.7, "1 min 0 s")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_the_chart_is_given_the_images_that_were_built(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "x.tar", [{"Config": "0123456789abcdef0123.json"}])
    tags = {
        "operator": "0.1.0",
        "frost-http": "2.0.0-dev",
        "frost-mqtt": "2.0.0",
        "mqtt-gate": "0.1.0",
        "portal": "0.1.0",
        "mosquitto": "2.0.11",
        "postgresql": "15-3.3",
        "envoy": "1.40.0",
    }
    archives = {f"localhost/sensorthings/{name}:{tag}": archive for name, tag in tags.items()}
    values = install.chart_values(archives, "2.0.0")
    assert values["image"] == {"repository": "localhost/sensorthings/operator", "tag": "0.1.0", "pullPolicy": "Never"}
    assert values["podAnnotations"] == {"sensorthings.city/image": "0123456789abcdef"}
    assert values["settings"]["images"] == {
        "frostHttp": "localhost/sensorthings/frost-http:{version}-dev",
        "frostMqtt": "localhost/sensorthings/frost-mqtt:{version}",
        "mqttGate": "localhost/sensorthings/mqtt-gate:0.1.0",
        "portal": "localhost/sensorthings/portal:0.1.0",
        "mosquitto": "localhost/sensorthings/mosquitto:2.0.11",
        "postgresql": "localhost/sensorthings/postgresql:15-3.3",
        "postgresqlPair": "localhost/sensorthings/postgresql:15-3.3",
        "envoy": "localhost/sensorthings/envoy:1.40.0",
    }
    del archives["localhost/sensorthings/mosquitto:2.0.11"]
    with pytest.raises(LocalClusterError, match="not built: mosquitto"):
        install.chart_values(archives, "2.0.0")
