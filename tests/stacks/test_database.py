"""The database layer: two machines and a witness in three zones, disks that outlive them, secrets in a vault."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import yaml

from tests.stacks.programs import PASSWORDS, in_the_open, is_secret, unwrapped
from tests.stacks.recorder import KEY_MARK

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
    machines = {"db-0": "10.20.16.10", "db-1": "10.20.16.11", "db-witness": "10.20.16.12"}
    assert addresses == {**machines, "primary": "10.20.16.13"}


def test_a_name_leads_to_the_machine_that_patroni_says_is_the_primary(database: Run) -> None:
    balancer = database.the("LoadBalancer").plain
    (front,) = balancer["frontendIPConfigurations"]
    assert (front["privateIPAddress"], front["zones"]) == ("10.20.16.13", ["1", "2", "3"])
    assert "publicIPAddress" not in front
    (probe,), (rule,), (pool,) = (balancer[k] for k in ("probes", "loadBalancingRules", "backendAddressPools"))
    assert (probe["protocol"], probe["port"], probe["requestPath"]) == ("Https", 8008, "/primary")
    assert (rule["frontendPort"], rule["backendPort"], rule["protocol"]) == (5432, 5432, "Tcp")
    own = "/id/ResourceGroup/sensorthings-hamburg/providers/Microsoft.Network/loadBalancers/hamburg-primary"
    assert rule["frontendIPConfiguration"]["id"] == f"{own}/frontendIPConfigurations/{front['name']}"
    assert rule["probe"]["id"] == f"{own}/probes/{probe['name']}"
    assert rule["backendAddressPool"]["id"] == f"{own}/backendAddressPools/{pool['name']}"
    members = {
        interface.name: configuration.get("loadBalancerBackendAddressPools")
        for interface in database.of_type("NetworkInterface")
        for configuration in interface.plain["ipConfigurations"]
    }
    joined = [{"id": f"/id/LoadBalancer/hamburg-primary/backendAddressPools/{pool['name']}"}]
    assert members == {"hamburg-db-0": joined, "hamburg-db-1": joined, "hamburg-db-witness": None}


def test_user_data_are_the_machines_own_and_tuned_for_the_size(database: Run) -> None:
    first, second, witness = map(_user_data, _machines(database))
    assert "ETCD_NAME=db-0" in first
    assert "ETCD_NAME=db-1" in second
    # Standard_E8ds_v5 has 64 GiB.
    assert "shared_buffers: 16384MB" in first
    assert "client_id=client-kv-hamburg-db-1" in second
    assert "https://dbhamburg.blob.core.windows.net/postgresql sensorthings" in first
    assert "patroni" not in str(yaml.safe_load(witness))


def test_passwords_and_keys_are_in_the_vault_and_nowhere_else(database: Run) -> None:
    stored = {secret.inputs["secretName"]: secret for secret in database.of_type("keyvault:Secret")}
    passwords = {f"postgresql-{role}": password for role, password in PASSWORDS.items()}
    keys = {f"tls-{host}-key": f"{KEY_MARK} hamburg-{host}" for host in ("db-0", "db-1", "db-witness")}
    certificates = {f"tls-{host}-certificate" for host in ("db-0", "db-1", "db-witness")} | {"tls-authority"}
    assert set(stored) == passwords.keys() | keys.keys() | certificates
    for name, value in (passwords | keys).items():
        properties = stored[name].inputs["properties"]
        assert is_secret(properties) or is_secret(properties["value"])
        assert unwrapped(properties)["value"] == value
    for resource in database.resources:
        texts = in_the_open(resource.inputs)
        texts += [base64.b64decode(text).decode(errors="replace") for text in texts if text.startswith("I2Nsb3Vk")]
        for secret in (*PASSWORDS.values(), KEY_MARK):
            assert not any(secret in text for text in texts), f"a secret stands in the open in {resource.urn}"


def test_the_authoritys_key_leaves_the_state_only_to_sign(database: Run) -> None:
    mark = f"{KEY_MARK} hamburg-authority"
    users = {each.type for each in database.resources if mark in json.dumps(each.plain)}
    assert users == {"tls:index/selfSignedCert:SelfSignedCert", "tls:index/locallySignedCert:LocallySignedCert"}


def test_certificates_are_for_the_machines_names_and_addresses(database: Run) -> None:
    asked = {each.inputs["subject"]["commonName"]: each.inputs for each in database.of_type("CertRequest")}
    assert set(asked) == {"db-0", "db-1", "db-witness"}
    assert asked["db-1"]["dnsNames"] == ["db-1", "db-1.hamburg.internal", "primary.hamburg.internal"]
    assert asked["db-witness"]["dnsNames"] == ["db-witness", "db-witness.hamburg.internal"]
    assert asked["db-1"]["ipAddresses"] == ["10.20.16.11"]
    for signed in database.of_type("LocallySignedCert"):
        assert signed.inputs["allowedUses"] == ["digital_signature", "server_auth", "client_auth"]
        assert "isCaCertificate" not in signed.inputs
        assert signed.inputs["earlyRenewalHours"] < signed.inputs["validityPeriodHours"]
    assert database.the("SelfSignedCert").protect


def test_the_vault_is_closed_and_kept(database: Run) -> None:
    vault = database.the("keyvault:Vault")
    properties = vault.inputs["properties"]
    assert vault.protect
    assert properties["enablePurgeProtection"] is True
    assert properties["networkAcls"]["defaultAction"] == "Deny"
    assert properties["networkAcls"]["virtualNetworkRules"] == [{"id": "/id/Subnet/hamburg-database"}]


def test_each_machine_reads_its_own_secrets_and_no_others(database: Run) -> None:
    may: dict[str, set[str]] = {}
    for rights in database.of_type("RoleAssignment"):
        if rights.inputs["roleDefinitionId"].endswith("4633458b-17de-408a-b874-0445c86b69e6"):
            secret = rights.inputs["scope"].removeprefix("/id/Secret/kv-hamburg-")
            may.setdefault(rights.inputs["principalId"].removeprefix("principal-kv-hamburg-"), set()).add(secret)
    passwords = {f"postgresql-{role}" for role in PASSWORDS}
    assert may == {
        "db-0": {"tls-authority", "tls-db-0-certificate", "tls-db-0-key", *passwords},
        "db-1": {"tls-authority", "tls-db-1-certificate", "tls-db-1-key", *passwords},
        "db-witness": {"tls-authority", "tls-db-witness-certificate", "tls-db-witness-key"},
    }
    for machine in _machines(database):
        fetched = set(re.findall(r"^ *put (\S+)", _user_data(machine), re.MULTILINE))
        assert fetched == may[machine.inputs["osProfile"]["computerName"]]


def test_backups_are_kept_and_only_the_database_machines_reach_them(database: Run) -> None:
    account = database.the("storage:StorageAccount")
    assert account.protect
    assert account.inputs["allowSharedKeyAccess"] is False
    assert account.inputs["networkRuleSet"]["defaultAction"] == "Deny"
    assert account.inputs["sku"]["name"] == "Standard_ZRS"
    assert database.the("storage:BlobContainer").protect
    writers = {
        rights.inputs["principalId"]
        for rights in database.of_type("RoleAssignment")
        if rights.inputs["scope"] == "/id/BlobContainer/dbhamburg"
    }
    assert writers == {"principal-kv-hamburg-db-0", "principal-kv-hamburg-db-1"}


def test_machines_start_after_their_rights_and_the_secrets_are_there(database: Run) -> None:
    for machine in _machines(database):
        host = machine.inputs["osProfile"]["computerName"]
        needed = {
            each.urn for each in database.of_type("RoleAssignment") if each.name.startswith(f"kv-hamburg-{host}-")
        }
        assert len(needed) >= 3
        assert needed <= set(machine.dependencies)


def test_azure_does_not_update_the_machines_at_its_own_hour(database: Run) -> None:
    for machine in _machines(database):
        settings = machine.inputs["osProfile"]["linuxConfiguration"]["patchSettings"]
        assert settings["patchMode"] == "ImageDefault"


def test_the_passwords_leave_the_layer_as_secrets(database: Run) -> None:
    for output, role in (("password", "sensorthings"), ("keycloakPassword", "keycloak")):
        assert is_secret(database.outputs[output])
        assert unwrapped(database.outputs[output]) == PASSWORDS[role]
    assert unwrapped(database.outputs["hosts"]) == ["db-0.hamburg.internal", "db-1.hamburg.internal"]


def test_a_city_whose_keycloak_is_elsewhere_has_no_database_for_it(munich: dict[str, Run]) -> None:
    database = munich["database"]
    assert unwrapped(database.outputs["keycloakPassword"]) == ""
    assert "postgresql-keycloak" not in {each.inputs["secretName"] for each in database.of_type("keyvault:Secret")}
    assert not any("keycloak" in _user_data(machine) for machine in _machines(database))
