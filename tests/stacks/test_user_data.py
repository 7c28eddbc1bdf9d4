"""The machines' user-data: pure, without secrets, valid for cloud-init, the same on both machines but for names."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from sensorthings_stacks import user_data
from sensorthings_stacks.machine_size import machine_size
from sensorthings_stacks.machines.cluster import BlobArchive, Cluster, Folder, FolderArchive, KeyVault, Member

CLUSTER = Cluster(
    databases=(Member("db-0", IPv4Address("10.20.16.10")), Member("db-1", IPv4Address("10.20.16.11"))),
    witness=Member("db-witness", IPv4Address("10.20.16.12")),
    domain="city.internal",
    keycloak=True,
    clients=IPv4Network("10.20.0.0/20"),
    size=machine_size("Standard_E8ds_v5"),
    disk_gibibytes=1024,
    secrets=KeyVault("https://city.vault.azure.net/"),
    archive=BlobArchive("https://city.blob.core.windows.net/postgresql"),
    retention_days=30,
    identities={"db-0": "client-0", "db-1": "client-1", "db-witness": "client-2"},
    data_disk="/dev/disk/azure/scsi1/lun0",
)
ON_NO_CLOUD = dataclasses.replace(
    CLUSTER, secrets=Folder("/srv/secrets"), archive=FolderArchive("/srv/archive"), identities={}, data_disk=None
)
DOCUMENTS = {
    f"{member.name} {where}": user_data.of(cluster, member)
    for where, cluster in (("on Azure", CLUSTER), ("on no cloud", ON_NO_CLOUD))
    for member in cluster.members
}
_UNITS = "/etc/systemd/system/"


def _files(machine: str) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for file in yaml.safe_load(DOCUMENTS[machine])["write_files"]}


def patroni(machine: str = "db-0 on Azure") -> dict[str, Any]:
    """Patroni's configuration as the machine has it."""
    content: dict[str, Any] = yaml.safe_load(_files(machine)["/etc/sensorthings/patroni/10-machine.yml"]["content"])
    return content


@pytest.mark.parametrize("machine", DOCUMENTS)
def test_azure_takes_it(machine: str) -> None:
    # Custom data of a virtual machine: 64 KiB when encoded.
    assert DOCUMENTS[machine].startswith("#cloud-config\n")
    assert len(DOCUMENTS[machine].encode()) * 4 / 3 < 64 * 1024


def test_the_same_description_gives_the_same_text() -> None:
    assert user_data.of(CLUSTER, CLUSTER.databases[0]) == DOCUMENTS["db-0 on Azure"]


@pytest.mark.parametrize("machine", DOCUMENTS)
def test_scripts_are_executable_and_whole(machine: str) -> None:
    for path, file in _files(machine).items():
        script = path.startswith("/usr/local/sbin/")
        assert file.get("permissions") == (None if path == "/etc/fstab" else "0755" if script else "0644")
        assert "{{" not in file["content"]
        assert "{%" not in file["content"]
        if script:
            subprocess.run(["bash", "-n"], input=file["content"], text=True, check=True)


@pytest.mark.parametrize("machine", DOCUMENTS)
def test_systemd_finds_nothing_wrong_with_the_units(machine: str, tmp_path: Path) -> None:
    command = shutil.which("systemd-analyze")
    if command is None:
        pytest.skip("systemd-analyze is not installed; tests/stacks/machines starts the units")
    for path, file in _files(machine).items():
        if path.startswith(_UNITS):
            place = tmp_path / path.removeprefix(_UNITS)
            place.parent.mkdir(exist_ok=True)
            # The programs are on the machines, not here.
            lines = [line if not line.startswith("Exec") else "ExecStart=/bin/true" for line in _lines(file["content"])]
            place.write_text("\n".join(lines))
    for debian in ("etcd", "prometheus-postgres-exporter"):
        (tmp_path / f"{debian}.service").write_text("[Service]\nExecStart=/bin/true\n")
    (tmp_path / "apt-daily-upgrade.timer").write_text("[Timer]\nOnCalendar=daily\n")
    (tmp_path / "apt-daily-upgrade.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    units = sorted(str(each) for each in tmp_path.glob("*.*") if each.is_file())
    done = subprocess.run(
        [command, "verify", "--man=no", *units], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    about_ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "sensorthings" in line]
    assert about_ours == []


def _lines(content: str) -> list[str]:
    """A unit's lines, each program once: a service that is no oneshot takes one."""
    kept: list[str] = []
    for line in content.splitlines():
        if line.startswith("Exec") and any(other.startswith("Exec") for other in kept):
            continue
        kept.append(line)
    return kept


def test_a_disk_that_holds_data_is_never_formatted_and_postgresql_waits_for_it() -> None:
    document = yaml.safe_load(DOCUMENTS["db-0 on Azure"])
    # These two would decide by themselves.
    assert not {"fs_setup", "disk_setup", "mounts"} & document.keys()
    files = _files("db-0 on Azure")
    assert files["/etc/fstab"]["append"] is True
    device, place, kind, options, _, _ = files["/etc/fstab"]["content"].split()
    assert (device, place, kind) == ("/dev/disk/azure/scsi1/lun0", "/var/lib/postgresql", "ext4")
    assert "x-systemd.makefs" in options.split(",")
    for unit in ("patroni.service", "etcd.service.d/sensorthings.conf"):
        assert f"RequiresMountsFor={place}\n" in files[f"{_UNITS}{unit}"]["content"]
    assert "/etc/fstab" not in _files("db-0 on no cloud")


def test_systemd_makes_the_file_system_before_it_mounts_it(tmp_path: Path) -> None:
    generator = Path("/lib/systemd/system-generators/systemd-fstab-generator")
    if not generator.exists():
        pytest.skip("systemd is not installed")
    table = tmp_path / "fstab"
    table.write_text(_files("db-0 on Azure")["/etc/fstab"]["content"])
    made = tmp_path / "units"
    made.mkdir()
    subprocess.run([generator, made, made, made], env={"SYSTEMD_FSTAB": str(table)}, check=True)
    (making,) = made.glob("systemd-makefs@*.service")
    assert (made / "var-lib-postgresql.mount.requires" / making.name).is_symlink()
    assert "var-lib-postgresql.mount" in making.read_text().partition("Before=")[2].splitlines()[0].split()


def test_both_machines_have_the_same_settings() -> None:
    """Either takes writes one day."""
    first, second = (yaml.safe_load(DOCUMENTS[f"{name} on Azure"]) for name in ("db-0", "db-1"))
    assert first["packages"] == second["packages"]
    assert first["runcmd"] == second["runcmd"]
    one, other = patroni("db-0 on Azure"), patroni("db-1 on Azure")
    assert one["bootstrap"] == other["bootstrap"]
    own = {"listen", "connect_address"}
    assert {key: value for key, value in one["postgresql"].items() if key not in own} == {
        key: value for key, value in other["postgresql"].items() if key not in own
    }


def test_no_two_machines_work_on_themselves_at_the_same_time() -> None:
    for timer in ("apt-daily-upgrade.timer.d/sensorthings.conf", "sensorthings-maintenance.timer"):
        hours = [_files(f"{each.name} on Azure")[f"{_UNITS}{timer}"]["content"] for each in CLUSTER.members]
        assert len(set(hours)) == 3


def test_updates_leave_what_restarts_the_database_alone() -> None:
    settings = _files("db-0 on Azure")["/etc/apt/apt.conf.d/52sensorthings"]["content"]
    assert 'Unattended-Upgrade::Package-Blacklist { "^postgresql"; "^etcd-"; };' in settings
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in settings
    cleared = settings.index("#clear Unattended-Upgrade::Origins-Pattern;")
    assert cleared < settings.index("-security,label=Debian-Security")


def test_what_updates_leave_alone_has_a_command_or_a_night_of_its_own() -> None:
    files = {path: file["content"] for path, file in _files("db-0 on Azure").items()}
    (upgrade,) = re.findall(r"--only-upgrade --yes (.*)", files["/usr/local/sbin/sensorthings-upgrade"])
    assert "postgresql-15" in upgrade.split()
    assert "postgresql-client-15" in upgrade.split()
    for machine in ("db-0 on Azure", "db-witness on Azure"):
        script = _files(machine)["/usr/local/sbin/sensorthings-maintenance"]["content"]
        # With the others well, and before anything restarts the machine.
        steps = ["endpoint health", "--only-upgrade --yes etcd-server etcd-client", "/run/reboot-required", "reboot\n"]
        places = [script.index(step) for step in steps]
        assert places == sorted(places)


def test_what_comes_from_elsewhere_than_debian_has_the_hash_that_is_written_there() -> None:
    pinned = [
        line
        for path, file in _files("db-0 on Azure").items()
        if path.endswith(".txt")
        for line in file["content"].splitlines()
        if not line.startswith("#")
    ]
    assert any(line.startswith("patroni==4.1.5 ") for line in pinned)
    assert any(line.startswith("barman==3.19.1 ") for line in pinned)
    assert all("==" in line and " --hash=sha256:" in line for line in pinned)


def test_databases_are_made_for_those_who_own_them() -> None:
    without = yaml.safe_load(user_data.of(dataclasses.replace(CLUSTER, keycloak=False), CLUSTER.databases[0]))
    both = {path: file["content"] for path, file in _files("db-0 on Azure").items()}
    alone = {file["path"]: file["content"] for file in without["write_files"]}
    roles = "/usr/local/sbin/sensorthings-roles"
    assert re.findall(r"CREATE DATABASE (\w+) OWNER (\w+)", both[roles]) == [
        ("sensorthings", "sensorthings"),
        ("keycloak", "keycloak"),
    ]
    assert "('keycloak', 'CONNECTION LIMIT 60')" in both[roles]
    assert "\\set keycloak `cat /run/sensorthings/postgres/keycloak`" in both[roles]
    assert re.findall(r"CREATE DATABASE (\w+)", alone[roles]) == ["sensorthings"]
    assert not any("keycloak" in content for content in alone.values())


def test_the_witness_has_a_voice_and_nothing_else() -> None:
    witness = yaml.safe_load(DOCUMENTS["db-witness on Azure"])
    assert witness["packages"] == ["curl", "etcd-server", "etcd-client", "unattended-upgrades"]
    assert "patroni" not in DOCUMENTS["db-witness on Azure"]
    assert "/etc/fstab" not in _files("db-witness on Azure")


@pytest.mark.parametrize("machine", DOCUMENTS)
def test_cloud_inits_own_schema_accepts_it(machine: str, tmp_path: Path) -> None:
    command = shutil.which("cloud-init")
    if command is None:
        pytest.skip("cloud-init is not installed; tests/stacks/machines checks it with the machines' own")
    document = tmp_path / "user-data"
    document.write_text(DOCUMENTS[machine])
    done = subprocess.run([command, "schema", "--config-file", document], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
