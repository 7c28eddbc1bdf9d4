"""cloud-init user-data of the database machines: pure, the same settings give the same text.

The database layer puts it on Azure's machines, the tests boot it on machines of their own. It holds no secret: the
machines fetch the passwords when they start. What Patroni will replace is the unit `sensorthings-database` alone: the
disk, the settings, the access rules and the passwords stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from sensorthings_stacks import tuning

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network

    from sensorthings_stacks.machine_size import MachineSize

VERSION: Final = 15
"""Major version of PostgreSQL: that of Debian 12."""
DATABASE: Final = "sensorthings"
"""Name of the database."""
OWNER: Final = "sensorthings"
"""Role that owns it; FROST-Server logs in with it."""
PACKAGES: Final = (f"postgresql-{VERSION}", f"postgresql-{VERSION}-postgis-3", "curl")
"""Debian packages of a database machine."""
DATA: Final = "/var/lib/postgresql"
"""Where the data disk is mounted."""
_BASE: Final = {"timezone": "Etc/UTC", "locale": "C.UTF-8"}

_TEMPLATES: Final = Environment(
    loader=PackageLoader("sensorthings_stacks"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - shell scripts and configuration, no HTML; every value comes from a typed setting
)


@dataclass(frozen=True)
class KeyVault:
    """Passwords are the secrets `postgresql-ROLE` of a key vault, read with the machine's managed identity."""

    vault_uri: str
    """Its address with a slash at the end, such as https://hamburg.vault.azure.net/."""
    client_id: str
    """Client id of the identity."""


@dataclass(frozen=True)
class Folder:
    """Passwords are files of a folder, named as the roles."""

    folder: str
    """Its path on the machine."""


@dataclass(frozen=True)
class Member:
    """One of the two database machines."""

    name: str
    """Its host name."""
    address: IPv4Address
    """Its address in the database subnet."""

    @property
    def slot(self) -> str:
        """Name of the replication slot from which it streams: PostgreSQL allows no hyphen there."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Pair:
    """The two database machines, as they are at first."""

    primary: Member
    """The machine that takes writes."""
    replica: Member
    """The machine that streams from it."""
    cluster_range: IPv4Network
    """Addresses of the cluster's nodes: nobody else may log in. Pods leave the cluster with their node's address."""
    size: MachineSize
    """Size of each machine."""
    disk_gibibytes: int
    """Size of each data disk, in GiB."""
    credentials: KeyVault | Folder
    """Where the machines fetch the passwords."""
    data_disk: str | None
    """Device of the data disk; None where the place of the data is mounted already."""


def primary(pair: Pair) -> str:
    """User-data of the machine that takes writes."""
    return _database_machine(pair, "primary", _render("bootstrap-primary", _facts(pair) | {"slots": _slots(pair)}))


def replica(pair: Pair) -> str:
    """User-data of the machine that streams from the primary."""
    facts = {"primary": pair.primary.address, "slot": pair.replica.slot, "name": pair.replica.name}
    return _database_machine(pair, "replica", _render("bootstrap-replica", _facts(pair) | facts))


def witness() -> str:
    """User-data of the third machine. It has no duty before Patroni has: it will be the third voice of etcd."""
    return _document({**_BASE, "package_update": True})


def _slots(pair: Pair) -> list[str]:
    return [pair.replica.slot]


def _facts(pair: Pair) -> dict[str, Any]:
    return {
        "version": VERSION,
        "database": DATABASE,
        "owner": OWNER,
        "cluster_range": pair.cluster_range,
        "peers": (pair.primary.address, pair.replica.address),
        "tuning": tuning.settings(pair.size, pair.disk_gibibytes),
        "source": pair.credentials,
    }


def _database_machine(pair: Pair, role: str, bootstrap: str) -> str:
    facts = _facts(pair) | {"role": role}
    source = "credentials-keyvault" if isinstance(pair.credentials, KeyVault) else "credentials-folder"
    files = [
        # The package would make a cluster of its own, without checksums.
        _file("/etc/postgresql-common/createcluster.d/sensorthings.conf", "create_main_cluster = false\n"),
        _file("/etc/sensorthings/postgresql.conf", _render("postgresql.conf", facts, suffix="")),
        _file("/etc/sensorthings/pg_hba.conf", _render("pg_hba.conf", facts, suffix="")),
        _file("/usr/local/sbin/sensorthings-credentials", _render(source, facts), "0755"),
        _file("/usr/local/sbin/sensorthings-database", bootstrap, "0755"),
        *(
            _file(f"/etc/systemd/system/{unit}", _render(unit, facts, suffix=""))
            for unit in ("sensorthings-credentials.service", "sensorthings-database.service")
        ),
    ]
    return _document(
        {
            **_BASE,
            **(_disk(pair.data_disk) if pair.data_disk else {}),
            "write_files": files,
            "package_update": True,
            "packages": list(PACKAGES),
            "runcmd": [
                ["systemctl", "daemon-reload"],
                ["systemctl", "enable", "--now", "--no-block", "sensorthings-credentials", "sensorthings-database"],
            ],
        }
    )


def _disk(device: str) -> dict[str, Any]:
    """The file system is made on a disk that has none, and never over one that is there."""
    return {
        "fs_setup": [{"label": "postgresql", "filesystem": "ext4", "device": device, "overwrite": False}],
        "mounts": [["LABEL=postgresql", DATA, "ext4", "defaults,noatime", "0", "2"]],
    }


def _render(template: str, facts: dict[str, Any], suffix: str = ".sh") -> str:
    return _TEMPLATES.get_template(f"{template}{suffix}.j2").render(facts)


def _file(path: str, content: str, permissions: str = "0644") -> dict[str, str]:
    return {"path": path, "owner": "root:root", "permissions": permissions, "content": content}


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as a block, so that people can read the user-data of a machine."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def _document(content: dict[str, Any]) -> str:
    body = yaml.dump(content, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=1000)
    return f"#cloud-config\n{body}"
