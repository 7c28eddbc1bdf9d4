"""The machines' user-data: pure, without secrets, valid for cloud-init, tuned so that it fits into the machine."""

from __future__ import annotations

import shutil
import subprocess
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_stacks import tuning, user_data
from sensorthings_stacks.machine_size import machine_size

if TYPE_CHECKING:
    from pathlib import Path

PAIR = user_data.Pair(
    primary=user_data.Member("db-0", IPv4Address("10.20.16.10")),
    replica=user_data.Member("db-1", IPv4Address("10.20.16.11")),
    cluster_range=IPv4Network("10.20.0.0/20"),
    size=machine_size("Standard_E8ds_v5"),
    disk_gibibytes=1024,
    credentials=user_data.KeyVault("https://city.vault.azure.net/", "client-id"),
    data_disk="/dev/disk/azure/scsi1/lun0",
)
DOCUMENTS = {"primary": user_data.primary(PAIR), "replica": user_data.replica(PAIR), "witness": user_data.witness()}
_SIZES = st.builds(
    "Standard_{}{}{}s_v5".format,
    st.sampled_from("DE"),
    st.sampled_from([2, 4, 8, 16, 20, 32, 48, 64, 96]),
    st.sampled_from(["", "d", "a", "ad"]),
)


def _files(role: str) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for file in yaml.safe_load(DOCUMENTS[role])["write_files"]}


@pytest.mark.parametrize("role", DOCUMENTS)
def test_azure_takes_it(role: str) -> None:
    # Custom data of a virtual machine: 64 KiB when encoded.
    assert DOCUMENTS[role].startswith("#cloud-config\n")
    assert len(DOCUMENTS[role]) * 4 / 3 < 64 * 1024


def test_the_same_settings_give_the_same_text() -> None:
    assert user_data.primary(PAIR) == DOCUMENTS["primary"]


def test_scripts_are_executable_and_whole() -> None:
    for role in ("primary", "replica"):
        for path, file in _files(role).items():
            script = path.startswith("/usr/local/sbin/")
            assert file["permissions"] == ("0755" if script else "0644")
            assert "{{" not in file["content"]
            assert "{%" not in file["content"]
            if script:
                subprocess.run(["bash", "-n"], input=file["content"], text=True, check=True)


def test_a_disk_that_holds_data_is_never_formatted() -> None:
    (file_system,) = yaml.safe_load(DOCUMENTS["primary"])["fs_setup"]
    assert file_system["overwrite"] is False
    assert file_system["device"] == "/dev/disk/azure/scsi1/lun0"


def test_access_is_for_nodes_and_the_pair_with_encryption_and_scram() -> None:
    lines = [line.split() for line in _files("primary")["/etc/sensorthings/pg_hba.conf"]["content"].splitlines()]
    rules = [line for line in lines if line and not line[0].startswith("#")]
    assert rules == [
        ["local", "all", "postgres", "peer"],
        ["hostssl", "sensorthings", "sensorthings", "10.20.0.0/20", "scram-sha-256"],
        ["hostssl", "replication", "replication", "10.20.16.10/32", "scram-sha-256"],
        ["hostssl", "replication", "replication", "10.20.16.11/32", "scram-sha-256"],
    ]


def test_both_machines_have_the_same_settings() -> None:
    """A replica becomes the primary one day."""
    for path in ("/etc/sensorthings/postgresql.conf", "/etc/sensorthings/pg_hba.conf"):
        assert _files("primary")[path] == _files("replica")[path]


@pytest.mark.parametrize("role", DOCUMENTS)
def test_cloud_inits_own_schema_accepts_it(role: str, tmp_path: Path) -> None:
    command = shutil.which("cloud-init")
    if command is None:
        pytest.skip("cloud-init is not installed; tests/stacks/machines checks it with the machines' own")
    document = tmp_path / "user-data"
    document.write_text(DOCUMENTS[role])
    done = subprocess.run([command, "schema", "--config-file", document], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@given(_SIZES, st.integers(min_value=32, max_value=32767))
def test_tuning_fits_into_the_machine(name: str, disk_gibibytes: int) -> None:
    size = machine_size(name)
    tuned = tuning.settings(size, disk_gibibytes)
    mebibytes = {key: int(value.removesuffix("MB")) for key, value in tuned.items() if value.endswith("MB")}
    # Every connection sorts once at the same time, and three autovacuum workers are busy.
    worst = (
        mebibytes["shared_buffers"]
        + tuning.CONNECTIONS * (mebibytes["work_mem"] + 4)
        + 3 * mebibytes["maintenance_work_mem"]
    )
    assert worst < size.memory_mebibytes
    wal = int(tuned["max_slot_wal_keep_size"].removesuffix("GB"))
    assert wal <= disk_gibibytes / 2
    assert int(tuned["max_parallel_workers"]) <= int(tuned["max_worker_processes"])


@pytest.mark.parametrize("name", ["Standard_B2ms", "Standard_D3s_v5", "Standard_D4_v5", "D4ds_v5", "Standard_E8ds_v4"])
def test_sizes_that_are_not_known_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="such as Standard_E8ds_v5"):
        machine_size(name)
