"""The stack's own user-data on real machines: systemd, cloud-init, etcd and PostgreSQL are those of Debian.

What is not Azure's here: secrets come from a folder instead of the key vault, backups go to a folder, the data disk is
mounted already, and packages and virtual environments are installed already.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from sensorthings_stacks.machines.cluster import EXPORTER_PORT, KEYCLOAK, PATRONI_PORT, POSTGRESQL_PORT
from tests.stacks.machines.site import CLUSTER, Site, until
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Member
    from tests.stacks.machines.client import Client

pytestmark = pytest.mark.machines


def _eventually(client: Client, member: Member, sql: str, expected: str) -> None:
    until(lambda: client.answers(member, sql, expected), f"{expected!r} of {member.name} to {sql!r}")


def _tells(client: Client, url: str, line: str) -> bool:
    try:
        return line in client.command("GET", url)
    except LocalClusterError:
        return False


def _shows(place: Site, client: Client, member: Member, port: int) -> bool:
    try:
        return client.serial(member, port) == place.serial(member)
    except LocalClusterError:
        # Patroni listens anew to take its certificate up, and cuts off who just came.
        return False


def test_a_row_written_on_the_primary_is_read_on_the_standby(well: Site, node: Client) -> None:
    node.ask_primary("CREATE TABLE observation (result int); INSERT INTO observation VALUES (42)")
    _eventually(node, well.standby, "SELECT result FROM observation", "42")
    with pytest.raises(LocalClusterError, match="read-only transaction"):
        node.ask(well.standby, "INSERT INTO observation VALUES (43)")


def test_the_standby_is_synchronous_and_streams_from_its_slot_over_tls(well: Site) -> None:
    as_superuser = ("runuser", "-u", "postgres", "--", "psql", "-XAtqc")
    streams = well.of(well.primary).run(
        *as_superuser,
        "SELECT application_name, state, sync_state, slot_name, ssl.version, ssl.client_dn "
        "FROM pg_stat_replication JOIN pg_stat_ssl AS ssl USING (pid) JOIN pg_replication_slots ON active_pid = pid",
    )
    name = well.standby.name
    assert streams.strip() == f"{name}|streaming|sync|{name.replace('-', '_')}|TLSv1.3|/CN={name}"


def test_postgis_checksums_and_tuning_are_there(well: Site, node: Client) -> None:
    for member in CLUSTER.databases:
        _eventually(node, member, "SELECT ST_AsText(ST_MakePoint(10, 53.5))", "POINT(10 53.5)")
        assert node.ask(member, "SHOW data_checksums") == "on"
        assert node.ask(member, "SHOW shared_buffers") == "2GB"
        assert node.ask(member, "SHOW max_connections") == "200"


def test_only_the_clusters_nodes_may_log_in_and_only_encrypted(well: Site, node: Client, stranger: Client) -> None:
    with pytest.raises(LocalClusterError, match=r'no pg_hba.conf entry for host "10\.20\.32\.5"'):
        stranger.ask(well.primary, "SELECT 1")
    with pytest.raises(LocalClusterError, match="no encryption"):
        node.ask(well.primary, "SELECT 1", tls="disable")
    with pytest.raises(LocalClusterError, match=r"no pg_hba.conf entry .* user \"replication\""):
        node.ask(well.primary, "SELECT 1", role="replication")


def test_keycloak_has_a_database_of_its_own_and_no_other(well: Site, node: Client) -> None:
    node.ask(well.primary, "CREATE TABLE IF NOT EXISTS realm (name text)", role=KEYCLOAK, database=KEYCLOAK)
    _eventually(node, well.standby, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'keycloak'", "60")
    with pytest.raises(LocalClusterError, match=r'no pg_hba.conf entry .* "keycloak", database "sensorthings"'):
        node.ask(well.primary, "SELECT 1", role=KEYCLOAK)
    with pytest.raises(LocalClusterError, match=r'no pg_hba.conf entry .* "sensorthings", database "keycloak"'):
        node.ask(well.primary, "SELECT 1", database=KEYCLOAK)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_load_balancer_that_shows_no_certificate_finds_the_primary(well: Site, node: Client, version: str) -> None:
    answers = {
        member: node.status(f"https://{member.address}:{PATRONI_PORT}/primary", tls=version)
        for member in CLUSTER.databases
    }
    assert answers == {well.primary: 200, well.standby: 503}


def test_commands_need_a_certificate(well: Site, node: Client) -> None:
    asked = [*product(["POST", "DELETE"], ["restart", "switchover"]), *product(["PUT", "PATCH"], ["config"])]
    for method, path in asked:
        with pytest.raises(LocalClusterError, match="403"):
            node.command(method, f"https://{well.primary.address}:{PATRONI_PORT}/{path}")
    with pytest.raises(LocalClusterError, match=r"\((35|55|56)\)|certificate"):
        node.command("GET", f"https://{CLUSTER.witness.address}:2379/version")


def test_the_exporter_tells_that_the_database_is_up(well: Site, node: Client) -> None:
    for member in CLUSTER.databases:
        url = f"https://{member.address}:{EXPORTER_PORT}/metrics"
        until(partial(_tells, node, url, "pg_up 1"), f"pg_up of {member.name}", 60)


def test_cloud_init_and_systemd_report_no_error(well: Site) -> None:
    for member in CLUSTER.members:
        machine = well.of(member)
        assert "status: done" in machine.run("cloud-init", "status", "--wait")
        ours = ["sensorthings-*", "etcd*"]
        # The witness has the same packages here as the others, and no use for them.
        ours += ["patroni*", "prometheus*", "postgresql*"] if member in CLUSTER.databases else []
        assert machine.run("systemctl", "list-units", "--failed", "--no-legend", *ours) == ""


def test_no_secret_lies_on_a_disk_or_in_a_log(well: Site) -> None:
    keys = [(well.folder / "secrets" / f"tls-{each.name}-key").read_text().splitlines()[1] for each in CLUSTER.members]
    for machine in well.machines.values():
        for secret in (*PASSWORDS.values(), *keys):
            where = ("/etc", "/var/lib/postgresql", "/var/log", "/var/lib/cloud", "/var/lib/etcd")
            # grep ends with 1 where it finds nothing, and with 2 where a file went while it looked.
            found = machine.run("sh", "-c", 'grep -rslF -- "$0" "$@" || test $? -lt 3', secret, *where)
            assert found == ""
            assert secret not in machine.run("journalctl", "--no-pager")


def test_debians_and_patronis_own_checks_accept_what_is_there(well: Site) -> None:
    seed = "/var/lib/cloud/seed/nocloud/user-data"
    for member in CLUSTER.members:
        machine = well.of(member)
        assert "Valid cloud-config" in machine.run("cloud-init", "schema", "--config-file", seed)
        units = ["sensorthings-secrets.service", "sensorthings-maintenance.timer", "etcd.service"]
        units += ["patroni.service", "sensorthings-backup.timer"] if member in CLUSTER.databases else []
        machine.run("systemd-analyze", "verify", "--man=no", *units)
        if member in CLUSTER.databases:
            check = "/opt/patroni/bin/patroni --validate-config --ignore-listen-port /etc/sensorthings/patroni"
            machine.run("runuser", "-u", "postgres", "--", "sh", "-c", f"cd / && {check}")


def test_renewed_certificates_are_taken_into_use_with_no_restart(well: Site, node: Client) -> None:
    before = {each: node.ask(each, "SELECT pg_postmaster_start_time()") for each in CLUSTER.databases}
    well.renew_certificates()
    for member in CLUSTER.members:
        well.of(member).run("systemctl", "start", "sensorthings-renew.service")
    for member in CLUSTER.databases:
        for port in (POSTGRESQL_PORT, PATRONI_PORT):
            # Patroni takes a signal up with its next look.
            until(partial(_shows, well, node, member, port), f"{member.name}:{port} to show its new certificate", 60)
        assert node.ask(member, "SELECT pg_postmaster_start_time()") == before[member]
    well.until_well()


@pytest.mark.parametrize("role", ["standby", "primary", "witness"])
def test_a_new_machine_takes_the_place_of_an_old_one(well: Site, node: Client, role: str) -> None:
    member = CLUSTER.witness if role == "witness" else getattr(well, role)
    node.ask_primary("CREATE TABLE IF NOT EXISTS kept (name text); INSERT INTO kept VALUES ('before')")
    before = node.ask_primary("SELECT count(*) FROM kept")
    well.power_off(member)
    machine = well.boot(member, new=True)
    well.until_well()
    assert node.ask_primary("SELECT count(*) FROM kept") == before
    until(lambda: well.etcd_members() == {each.name for each in CLUSTER.members}, "etcd to have three members")
    node.ask_primary("INSERT INTO kept VALUES ('after')")
    if member in CLUSTER.databases:
        _eventually(node, member, "SELECT count(*) FROM kept", str(int(before) + 1))
        assert "trying to bootstrap" not in machine.run("journalctl", "-b", "--no-pager", "-u", "patroni")
