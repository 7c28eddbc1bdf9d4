"""What the machines run, as functions of their description: Patroni, etcd, access, secrets, tuning."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.postgresql import tuning
from sensorthings_stacks.machine_size import machine_size
from sensorthings_stacks.machines import etcd, patroni, secrets
from sensorthings_stacks.machines.cluster import CONNECTIONS, Cluster, Member
from tests.stacks.test_user_data import CLUSTER

_NAMES = st.builds(
    "Standard_{}{}{}s_v5".format,
    st.sampled_from("DE"),
    st.sampled_from([2, 4, 8, 16, 20, 32, 48, 64, 96]),
    st.sampled_from(["", "d", "a", "ad"]),
)


@st.composite
def _clusters(draw: st.DrawFn) -> Cluster:
    addresses = draw(st.lists(st.ip_addresses(v=4), min_size=3, max_size=3, unique=True))
    names = draw(
        st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True), min_size=3, max_size=3, unique=True)
    )
    first, second, witness = (
        Member(name, IPv4Address(address)) for name, address in zip(names, addresses, strict=True)
    )
    prefix = draw(st.integers(min_value=8, max_value=28))
    clients = IPv4Network((draw(st.ip_addresses(v=4)), prefix), strict=False)
    return dataclasses.replace(
        CLUSTER,
        databases=(first, second),
        witness=witness,
        clients=clients,
        keycloak=draw(st.booleans()),
        size=machine_size(draw(_NAMES)),
        disk_gibibytes=draw(st.integers(min_value=32, max_value=32767)),
    )


@given(_clusters())
def test_whoever_logs_in_is_a_node_or_one_of_the_two_and_encrypted(cluster: Cluster) -> None:
    rules = [rule.split() for rule in patroni.access(cluster)]
    by_network = [rule for rule in rules if rule[0] != "local"]
    assert all(rule[0] == "hostssl" and rule[4] == "scram-sha-256" for rule in by_network)
    of_nodes = {(rule[1], rule[2]) for rule in by_network if rule[3] == str(cluster.clients)}
    assert of_nodes == {("sensorthings", "sensorthings")} | ({("keycloak", "keycloak")} if cluster.keycloak else set())
    machines = [rule for rule in by_network if rule[3] != str(cluster.clients)]
    assert {rule[3] for rule in machines} == {f"{member.address}/32" for member in cluster.databases}
    assert all(rule[-1] == "clientcert=verify-ca" for rule in machines)
    assert {rule[2] for rule in machines} == {"replication", "rewind"}
    assert all(rule[-1] == "peer" for rule in rules if rule[0] == "local")


@given(_clusters())
def test_patroni_gives_a_lease_up_before_it_ends(cluster: Cluster) -> None:
    configuration = patroni.configuration(cluster, cluster.databases[0])
    lease = configuration["bootstrap"]["dcs"]
    assert lease["loop_wait"] + 2 * lease["retry_timeout"] <= lease["ttl"] - configuration["watchdog"]["safety_margin"]
    assert lease["ttl"] >= 20
    assert (lease["synchronous_mode"], lease["failsafe_mode"]) == (True, True)
    assert lease["synchronous_mode_strict"] is False


@given(_clusters())
def test_a_setting_is_the_clusters_or_the_machines(cluster: Cluster) -> None:
    configuration = patroni.configuration(cluster, cluster.databases[1])
    of_all = configuration["bootstrap"]["dcs"]["postgresql"]["parameters"]
    own = configuration["postgresql"]["parameters"]
    assert not of_all.keys() & own.keys()
    assert {"max_connections", "wal_level", "wal_log_hints"} <= of_all.keys()
    assert {"ssl", "shared_buffers", "archive_command", "wal_sender_timeout"} <= own.keys()


@given(_clusters())
def test_a_machine_and_a_container_of_its_size_are_tuned_alike(cluster: Cluster) -> None:
    told = patroni.configuration(cluster, cluster.databases[0])
    parameters = {**told["bootstrap"]["dcs"]["postgresql"]["parameters"], **told["postgresql"]["parameters"]}
    size = tuning.Size(cluster.size.memory_mebibytes, cluster.size.vcpus, cluster.disk_gibibytes * 1024)
    assert tuning.settings(size, CONNECTIONS).items() <= parameters.items()


@given(_clusters())
def test_every_line_between_machines_is_encrypted_and_verified_on_both_ends(cluster: Cluster) -> None:
    for member in cluster.members:
        variables = etcd.environment(cluster, member)
        assert all(value.startswith("https://") for name, value in variables.items() if name.endswith("_URLS"))
        assert variables["ETCD_CLIENT_CERT_AUTH"] == variables["ETCD_PEER_CLIENT_CERT_AUTH"] == "true"
    configuration = patroni.configuration(cluster, cluster.databases[0])
    assert configuration["etcd3"]["protocol"] == "https"
    assert configuration["restapi"]["verify_client"] == "optional"
    for role in ("replication", "rewind"):
        login = configuration["postgresql"]["authentication"][role]
        assert login["sslmode"] == "verify-full"
        assert "password" not in login


@given(_clusters())
def test_a_machine_places_what_it_may_read_and_each_file_has_one_reader(cluster: Cluster) -> None:
    for member in cluster.members:
        files = secrets.placed(cluster, member)
        with_password = () if member == cluster.witness else secrets.roles(cluster)
        assert {each.name for each in files} == set(secrets.needed(member.name, with_password))
        assert len({each.path for each in files}) == len(files)
        assert all(each.path.startswith(f"/run/sensorthings/{each.account}/") for each in files)


@given(_clusters())
def test_every_role_with_a_password_is_made_and_keycloak_leaves_connections_to_others(cluster: Cluster) -> None:
    rights = patroni.rights(cluster)
    assert {*secrets.roles(cluster), "prometheus"} == set(rights)
    assert ("keycloak" in rights) == cluster.keycloak
    if cluster.keycloak:
        limit = int(rights["keycloak"].removeprefix("CONNECTION LIMIT "))
        assert 0 < limit <= CONNECTIONS / 2


@given(_NAMES, st.integers(min_value=32, max_value=32767))
def test_tuning_fits_into_the_machine(name: str, disk_gibibytes: int) -> None:
    size = machine_size(name)
    tuned = tuning.settings(tuning.Size(size.memory_mebibytes, size.vcpus, disk_gibibytes * 1024), CONNECTIONS)
    mebibytes = {key: int(value.removesuffix("MB")) for key, value in tuned.items() if value.endswith("MB")}
    # Every connection sorts once at the same time, and three autovacuum workers are busy.
    worst = (
        mebibytes["shared_buffers"] + CONNECTIONS * (mebibytes["work_mem"] + 4) + 3 * mebibytes["maintenance_work_mem"]
    )
    assert worst < size.memory_mebibytes
    assert mebibytes["max_slot_wal_keep_size"] <= disk_gibibytes * 1024 / 2
    assert int(tuned["max_parallel_workers"]) <= int(tuned["max_worker_processes"])


@pytest.mark.parametrize("name", ["Standard_B2ms", "Standard_D3s_v5", "Standard_D4_v5", "D4ds_v5", "Standard_E8ds_v4"])
def test_sizes_that_are_not_known_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="such as Standard_E8ds_v5"):
        machine_size(name)
