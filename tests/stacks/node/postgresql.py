"""A PostgreSQL on a host beside the cluster, as a town has one: TLS, an archive of its logs, a base backup, a restore.

It is nobody's machine of the stacks (`tests/stacks/machines` has those): the files of the image with PostGIS, run bare
in the network of the node, with its backups in a folder that outlives it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localcluster import images
from localcluster.commands import run
from tests.e2e.images.containers import unpack
from tests.e2e.waiting import eventually
from tests.stacks.machines.certificates import Authority
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from localcluster.plan import Cluster

DATABASE: Final = "sensorthings"
_COMMANDS: Final = Path("/usr/lib/postgresql/15/bin")
_HOME: Final = Path("/srv/database")
"""Where its files lie, as it sees them."""
_USER: Final = 999
"""Of the image."""
# argv: root, command. Mounts are its own, and go with it.
_ENTER: Final = """
root=$1; shift; cd "$root"
mount --rbind /dev dev; mount -t proc proc proc; mount -t tmpfs -o mode=1777 tmpfs tmp
exec chroot --userspec=999:999 --groups= . "$@"
"""


class HostDatabase:
    """One server and its backups."""

    def __init__(self, host: str) -> None:
        """Make it, empty, with a certificate.

        Args:
            host: By which its clients know it.
        """
        self.host, self.authority = host, Authority()
        self._folder = Path(tempfile.mkdtemp(prefix="host-database-"))
        self._root = self._folder / "root"
        (archive,) = images.build_all(lambda _: None, ["postgresql"]).values()
        unpack(archive, self._root)
        self._process: subprocess.Popen[bytes] | None = None
        key, certificate = self.authority.server(host)
        self._at("archive").mkdir(parents=True)
        for name, text in (("server.key", key), ("server.crt", certificate)):
            self._at(name).write_text(text)
            self._at(name).chmod(0o600)
        for path in (self._at("."), *self._at(".").iterdir()):
            shutil.chown(path, _USER, _USER)

    def create(self, cluster: Cluster) -> None:
        """A new server on the node's address with the role and the database of the city, and its first base backup."""
        data = f"--pgdata={_HOME / 'data'}"
        self._run("initdb", data, "--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync")
        with self._at("data/pg_hba.conf").open("a") as file:
            file.write("hostssl all all all scram-sha-256\n")
        self._start(cluster)
        self.sql("postgres", f"CREATE ROLE {DATABASE} LOGIN PASSWORD $${PASSWORDS['sensorthings']}$$")
        self.sql("postgres", f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")
        self.sql(DATABASE, "CREATE EXTENSION postgis")
        backup = (f"--host={_HOME}", "--username=postgres", f"--pgdata={_HOME / 'base'}")
        self._run("pg_basebackup", *backup, "--checkpoint=fast", "--wal-method=fetch")

    def await_archived(self) -> None:
        """Wait until all that was committed until now lies in the archive."""
        newest = self.sql("postgres", "SELECT pg_walfile_name(pg_current_wal_lsn())")
        eventually(f"{newest} is archived", self._at(f"archive/{newest}").exists, 30)

    def lose(self) -> None:
        """Its disk is gone; the backups are elsewhere."""
        self.end()
        shutil.rmtree(self._at("data"))

    def restore(self, cluster: Cluster) -> None:
        """Another server, of the base backup and the archive; ends when it takes writes."""
        run(["cp", "--archive", self._at("base"), self._at("data")])
        self._at("data/recovery.signal").touch()
        self._start(cluster)
        eventually("it is out of recovery", lambda: self.sql("postgres", "SELECT pg_is_in_recovery()") == "f", 60)

    def end(self) -> None:
        """Kill it, as a loss of power does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            # Its own processes end by themselves when they see that it is gone.
            eventually("it does not answer any more", lambda: not self._answers(), 30)
            self._process = None

    def remove(self) -> None:
        """Stop it, and leave nothing."""
        self.end()
        shutil.rmtree(self._folder)

    def sql(self, database: str, statement: str) -> str:
        """What a statement gives, as the superuser."""
        whom = (f"--host={_HOME}", "--username=postgres", f"--dbname={database}")
        return self._run("psql", *whom, "-XAt", "--command", statement).strip()

    def _start(self, cluster: Cluster) -> None:
        archive = _HOME / "archive"
        settings = {
            "listen_addresses": str(cluster.node_address),
            "unix_socket_directories": str(_HOME),
            "ssl": "on",
            "ssl_cert_file": str(_HOME / "server.crt"),
            "ssl_key_file": str(_HOME / "server.key"),
            "archive_mode": "on",
            "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/%f.new && mv {archive}/%f.new {archive}/%f",
            "archive_timeout": "1s",
            "restore_command": f"cp {archive}/%f %p",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*self._inside(), _COMMANDS / "postgres", "-D", _HOME / "data", *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["nsenter", f"--net={cluster.netns_path}", "--", *command], stdout=log, stderr=log
            )
        eventually("PostgreSQL answers", self._answers, 30)

    def _answers(self) -> bool:
        command = [*self._inside(), _COMMANDS / "pg_isready", "--quiet", f"--host={_HOME}"]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, command: str, *arguments: str) -> str:
        return run([*self._inside(), _COMMANDS / command, *arguments])

    def _inside(self) -> list[str | Path]:
        return ["unshare", "--mount", "sh", "-ec", _ENTER, "enter", self._root]

    def _at(self, path: str) -> Path:
        """One of its files, as this machine sees it."""
        return self._root / _HOME.relative_to("/") / path
