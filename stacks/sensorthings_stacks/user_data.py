"""cloud-init user-data of the three database machines: pure, the same description gives the same text.

The database layer puts it on Azure's machines, the tests boot it on machines of their own. It holds no secret: the
machines fetch passwords, certificates and keys when they start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from sensorthings_stacks.machines import cluster as c
from sensorthings_stacks.machines import etcd, patroni, secrets
from sensorthings_stacks.machines.nights import timers
from sensorthings_stacks.machines.templates import pins, render

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Cluster, Member

_EVERYWHERE: Final = ("curl", "etcd-server", "etcd-client", "unattended-upgrades")
POSTGRESQL: Final = (f"postgresql-{c.VERSION}", f"postgresql-{c.VERSION}-postgis-3")
_OF_VERSION: Final = (*POSTGRESQL, f"postgresql-client-{c.VERSION}", f"postgresql-{c.VERSION}-postgis-3-scripts")
"""Packages that `sensorthings-upgrade` brings to a newer version: nothing else does."""
_PATRONI: Final = tuple(
    f"python3-{name}"
    for name in ["venv", "cdiff", "click", "dateutil", "etcd", "prettytable", "psutil", "psycopg2", "urllib3", "yaml"]
)
# The command that removes old backups loads the library of Amazon's storage, whatever the storage is.
_BARMAN: Final = ("python3-boto3", "python3-cryptography", "python3-requests")
DATABASE_PACKAGES: Final = (*POSTGRESQL, *_EVERYWHERE, *_PATRONI, *_BARMAN, "prometheus-postgres-exporter")
"""Debian packages of a machine with PostgreSQL."""
_BASE: Final = {"timezone": "Etc/UTC", "locale": "C.UTF-8"}
_OF_ETCD: Final = ("sensorthings-etcd", "sensorthings-secrets", "sensorthings-maintenance")
_OF_POSTGRESQL: Final = (
    "sensorthings-backup",
    "sensorthings-restore",
    "sensorthings-roles",
    "sensorthings-upgrade",
    "sensorthings-venv",
)


def database(cluster: Cluster, member: Member) -> str:
    """User-data of a machine with PostgreSQL."""
    facts = _facts(cluster, member)
    archive = "archive-blob" if isinstance(cluster.archive, c.BlobArchive) else "archive-folder"
    environments = ("patroni", "barman") if isinstance(cluster.archive, c.BlobArchive) else ("patroni",)
    files = [
        *([_disk(cluster.data_disk)] if cluster.data_disk else ()),
        # The package would make a cluster of its own, without checksums.
        _file("/etc/postgresql-common/createcluster.d/sensorthings.conf", "create_main_cluster = false\n"),
        *_common_files(cluster, member, facts),
        *(_script(name, render(f"{name}.sh", facts)) for name in _OF_POSTGRESQL),
        _script("sensorthings-archive", render(f"{archive}.sh", facts)),
        *(_file(f"/etc/sensorthings/{name}.txt", pins(name)) for name in environments),
        _file("/etc/sensorthings/patroni/10-machine.yml", _yaml(patroni.configuration(cluster, member))),
        _file("/etc/sensorthings/exporter.yml", _yaml(_exporter())),
        *(_unit(name, facts) for name in ("patroni", "sensorthings-backup")),
        _addition("prometheus-postgres-exporter", facts),
    ]
    return _document(
        {
            **_BASE,
            "write_files": files,
            "package_update": True,
            "packages": list(DATABASE_PACKAGES),
            "runcmd": [
                # Two files are one configuration: what everybody may know, and what lies in memory.
                ["ln", "-sfn", f"{c.RUN}/postgres/patroni.yml", "/etc/sensorthings/patroni/20-passwords.yml"],
                # An index that does not answer for a while must not leave a machine without Patroni.
                *(
                    ["sh", "-c", f"until /usr/local/sbin/sensorthings-venv {name}; do sleep 30; done"]
                    for name in environments
                ),
                *_start(cluster, member, "etcd", "patroni", "prometheus-postgres-exporter"),
            ],
        }
    )


def witness(cluster: Cluster) -> str:
    """User-data of the machine that has a voice and no data."""
    member = cluster.witness
    return _document(
        {
            **_BASE,
            "write_files": _common_files(cluster, member, _facts(cluster, member)),
            "package_update": True,
            "packages": list(_EVERYWHERE),
            "runcmd": _start(cluster, member, "etcd"),
        }
    )


def of(cluster: Cluster, member: Member) -> str:
    """User-data of any of the three."""
    return witness(cluster) if member == cluster.witness else database(cluster, member)


def _facts(cluster: Cluster, member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "address": member.address,
        "other": cluster.peer(member),
        "database": False if member == cluster.witness else c.DATABASE,
        "owners": cluster.owners,
        "roles": secrets.roles(cluster),
        "rights": patroni.rights(cluster),
        "scope": c.SCOPE,
        "version": c.VERSION,
        "run": c.RUN,
        "disk": c.DISK,
        "bin": f"/usr/lib/postgresql/{c.VERSION}/bin",
        "port": c.POSTGRESQL_PORT,
        "patroni_port": c.PATRONI_PORT,
        "exporter_port": c.EXPORTER_PORT,
        "package": POSTGRESQL[0],
        "packages": " ".join(_OF_VERSION),
        "source": cluster.secrets,
        "fetching": f"secrets-{'keyvault' if isinstance(cluster.secrets, c.KeyVault) else 'folder'}.sh.j2",
        "identity": cluster.identities.get(member.name, ""),
        "placed": secrets.placed(cluster, member),
        "archive": cluster.archive,
        "retention_days": cluster.retention_days,
        "data": c.DATA,
        "etcd_data": etcd.DATA,
        "peer_url": etcd.peer_url(member),
        "other_endpoints": ",".join(map(etcd.client_url, cluster.others(member))),
        "all_members": ",".join(f"{each.name}={etcd.peer_url(each)}" for each in cluster.members),
        "mark": f"{c.DISK}/.etcd-member",
    }


def _common_files(cluster: Cluster, member: Member, facts: dict[str, Any]) -> list[dict[str, str]]:
    variables = "".join(f"{name}={value}\n" for name, value in etcd.environment(cluster, member).items())
    return [
        _file("/etc/sensorthings/etcd", variables),
        *(_script(name, render(f"{name}.sh", facts)) for name in _OF_ETCD),
        *(_unit(name, facts) for name in ("sensorthings-secrets", "sensorthings-renew", "sensorthings-maintenance")),
        _addition("etcd", facts),
        *(_timer(name, calendar) for name, calendar in timers(cluster, member).items()),
        _file("/etc/apt/apt.conf.d/52sensorthings", render("unattended-upgrades.conf", facts)),
    ]


def _start(cluster: Cluster, member: Member, *services: str) -> list[list[str]]:
    ours = [f"{name}.timer" for name in timers(cluster, member) if name.startswith("sensorthings-")]
    units = ["sensorthings-secrets.service", *(f"{name}.service" for name in services), *ours]
    return [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", *units],
        # They order themselves, and nothing here waits for the other machines.
        ["systemctl", "restart", "--no-block", "apt-daily-upgrade.timer", *units],
    ]


def _exporter() -> dict[str, Any]:
    where = secrets.folder("prometheus")
    return {"tls_server_config": {"cert_file": f"{where}/machine.crt", "key_file": f"{where}/machine.key"}}


def _disk(device: str) -> dict[str, Any]:
    """systemd makes a file system on a disk that is empty, on no other, and mounts it.

    cloud-init's own modules would not do: what they find on a disk depends on whether udev has looked at it by then,
    and the one for mounts leaves out what is not there yet. Then PostgreSQL would begin anew on the machine's disk; as
    it is, its units wait for this one.
    """
    options = "noatime,nofail,x-systemd.makefs,x-systemd.device-timeout=0"
    return {"path": "/etc/fstab", "append": True, "content": f"{device} {c.DISK} ext4 {options} 0 2\n"}


def _script(name: str, content: str) -> dict[str, str]:
    return _file(f"/usr/local/sbin/{name}", content, "0755")


def _unit(name: str, facts: dict[str, Any]) -> dict[str, str]:
    return _file(f"/etc/systemd/system/{name}.service", render(f"{name}.service", facts))


def _addition(name: str, facts: dict[str, Any]) -> dict[str, str]:
    path = f"/etc/systemd/system/{name}.service.d/sensorthings.conf"
    return _file(path, render(f"{name}.service.conf", facts))


def _timer(name: str, calendar: str) -> dict[str, str]:
    ours = name.startswith("sensorthings-")
    path = f"/etc/systemd/system/{name}.timer" + ("" if ours else ".d/sensorthings.conf")
    return _file(path, render("timer", {"description": f"Time of {name}", "calendar": calendar}))


def _file(path: str, content: str, permissions: str = "0644") -> dict[str, str]:
    return {"path": path, "owner": "root:root", "permissions": permissions, "content": content}


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as a block, so that people can read the user-data of a machine."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def _yaml(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=1000)


def _document(content: dict[str, Any]) -> str:
    return f"#cloud-config\n{_yaml(content)}"
