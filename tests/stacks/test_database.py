"""The database layer: two machines and a witness in three zones, disks that outlive them, passwords in a vault."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import yaml

from tests.stacks.programs import PASSWORDS, in_the_open, is_secret, unwrapped

if TYPE_CHECKING:
    from tests.stacks.programs import Resource, Run


def _machines(database: Run) -> list[Resource]:
    return sorted(database.of_type("compute:VirtualMachine"), key=lambda machine: machine.inputs["zones"])


def _user_data(machine: Resource) -> str:
    return base64.b64decode(machine.plain["osProfile"]["customData"]).decode()


def test_each_machine_stands_in_a_zone_of_its_own(database: Run) -> None:
    machines = _machines(database)
    assert [machine.inputs["zones"] for machine in machines] == [["1"], ["2"], ["3"]]
    assert [machine.inputs["osProfile"]["computerName"] for machine in machines] == ["db-0", "db-1", "db-witness"]
    assert [machine.inputs["hardwareProfile"]["vmSize"] for machine in machines] == [
        "Standard_E8ds_v5",
        "Standard_E8ds_v5",
        "Standard_B2als_v2",
    ]


def test_disks_are_in_their_machines_zones_and_outlive_them(database: Run) -> None:
    disks = {disk.name: disk for disk in database.of_type("compute:Disk")}
    assert len(disks) == 2
    for machine in _machines(database)[:2]:
        (attached,) = machine.inputs["storageProfile"]["dataDisks"]
        disk = disks[attached["managedDisk"]["id"].split("/")[-1]]
        assert (attached["createOption"], attached["deleteOption"], attached["caching"]) == ("Attach", "Detach", "None")
        assert disk.inputs["zones"] == machine.inputs["zones"]
        assert disk.inputs["diskSizeGB"] == 1024
        assert disk.inputs["publicNetworkAccess"] == "Disabled"
        assert disk.protect
        assert disk.retain_on_delete


def test_new_user_data_do_not_replace_a_machine(database: Run) -> None:
    for machine in _machines(database):
        assert machine.protect
        assert machine.ignore_changes == ["osProfile.customData"]


def test_machines_have_no_public_address_and_no_password(database: Run) -> None:
    assert database.of_type("PublicIPAddress") == []
    for machine in _machines(database):
        assert machine.inputs["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"] is True
        assert machine.inputs["securityProfile"]["encryptionAtHost"] is True
    for interface in database.of_type("NetworkInterface"):
        (configuration,) = interface.inputs["ipConfigurations"]
        assert "publicIPAddress" not in configuration


def test_names_lead_to_the_machines_addresses(database: Run) -> None:
    addresses = {
        record.inputs["relativeRecordSetName"]: record.inputs["aRecords"][0]["ipv4Address"]
        for record in database.of_type("PrivateRecordSet")
    }
    assert addresses == {"db-0": "10.20.16.10", "db-1": "10.20.16.11", "db-witness": "10.20.16.12"}


def test_user_data_are_the_roles_and_tuned_for_the_size(database: Run) -> None:
    primary, replica, witness = map(_user_data, _machines(database))
    assert "pg_create_physical_replication_slot('db_1')" in primary
    assert "pg_basebackup" not in primary
    assert "host=10.20.16.10 " in replica
    # Standard_E8ds_v5 has 64 GiB.
    assert "shared_buffers = '16384MB'" in primary
    assert "postgresql" not in str(yaml.safe_load(witness))


def test_passwords_are_in_the_vault_and_nowhere_else(database: Run) -> None:
    stored = {secret.inputs["secretName"]: secret for secret in database.of_type("keyvault:Secret")}
    assert set(stored) == {"postgresql-sensorthings", "postgresql-replication"}
    for role, password in PASSWORDS.items():
        assert is_secret(stored[f"postgresql-{role}"].inputs["properties"]) or is_secret(
            stored[f"postgresql-{role}"].inputs["properties"]["value"]
        )
        assert unwrapped(stored[f"postgresql-{role}"].inputs)["properties"]["value"] == password
    for resource in database.resources:
        texts = in_the_open(resource.inputs)
        texts += [base64.b64decode(text).decode(errors="replace") for text in texts if text.startswith("I2Nsb3Vk")]
        for password in PASSWORDS.values():
            assert not any(password in text for text in texts), f"a password stands in the open in {resource.urn}"


def test_the_vault_is_closed_kept_and_readable_by_the_machines_only(database: Run) -> None:
    vault = database.the("keyvault:Vault")
    properties = vault.inputs["properties"]
    assert vault.protect
    assert properties["enablePurgeProtection"] is True
    assert properties["networkAcls"]["defaultAction"] == "Deny"
    assert properties["networkAcls"]["virtualNetworkRules"] == [{"id": "/id/Subnet/hamburg-database"}]
    assert database.the("RoleAssignment").inputs["roleDefinitionId"].endswith("4633458b-17de-408a-b874-0445c86b69e6")


def test_machines_start_after_their_rights_and_the_passwords_are_there(database: Run) -> None:
    needed = {
        resource.urn for resource in database.resources if resource.type.endswith(("RoleAssignment", "keyvault:Secret"))
    }
    for machine in _machines(database)[:2]:
        assert needed <= set(machine.dependencies)


def test_the_password_leaves_the_layer_as_a_secret(database: Run) -> None:
    assert is_secret(database.outputs["password"])
    assert unwrapped(database.outputs["hosts"]) == ["db-0.hamburg.internal", "db-1.hamburg.internal"]
