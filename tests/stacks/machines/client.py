"""Clients beside the machines: somewhere in their network, by TCP, with TLS that they verify."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.commands import run
from localcluster.errors import LocalClusterError
from sensorthings_stacks.machines import cluster as c
from tests.stacks.machines import certificates
from tests.stacks.machines.site import CLUSTER
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensorthings_stacks.machines.cluster import Member
    from tests.stacks.machines.site import Site


@dataclass(frozen=True)
class Client:
    """Somewhere in the network, as FROST-Server is: by TCP, with TLS that it verifies, and the password."""

    namespace: str
    place: Site

    def ask(
        self, member: Member, sql: str, *, tls: str = "verify-full", role: str = c.OWNER, database: str = c.DATABASE
    ) -> str:
        """The answer to a statement. Raises LocalClusterError with what psql said."""
        return self._psql(str(member.address), sql, f"sslmode={tls} user={role} dbname={database}", PASSWORDS[role])

    def ask_primary(self, sql: str) -> str:
        """The answer of whichever machine takes writes."""
        hosts = ",".join(str(each.address) for each in CLUSTER.databases)
        login = f"sslmode=verify-full user={c.OWNER} dbname={c.DATABASE} target_session_attrs=read-write"
        return self._psql(hosts, sql, login, PASSWORDS["sensorthings"])

    def _psql(self, hosts: str, sql: str, login: str, password: str) -> str:
        where = f"host={hosts} {login} connect_timeout=3 sslrootcert={self.place.authority}"
        command = ["psql", "-XAtqw", f"--dbname={where}", f"--command={sql}"]
        inside = ["ip", "netns", "exec", self.namespace]
        return run([*inside, *command], env={"PGPASSWORD": password, "LC_ALL": "C"}, timeout=60).strip()

    def status(self, url: str, *, tls: str) -> int:
        """The HTTP status of a GET by a version of TLS; no certificate is shown, and none verified."""
        command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "5"]
        version = ["--insecure", f"--tlsv{tls}", "--tls-max", tls]
        return int(run(["ip", "netns", "exec", self.namespace, *command, *version, url]))

    def command(self, method: str, url: str) -> str:
        """The answer to a request with the authority trusted and no certificate shown. Raises LocalClusterError."""
        command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "10", "--request", method]
        return run(["ip", "netns", "exec", self.namespace, *command, "--cacert", str(self.place.authority), url])

    def serial(self, member: Member, port: int) -> int:
        """Serial number of the certificate that a machine shows at a port."""
        start = ["-starttls", "postgres"] if port == c.POSTGRESQL_PORT else []
        where = ["openssl", "s_client", "-connect", f"{member.address}:{port}", *start]
        shown = run(["ip", "netns", "exec", self.namespace, *where])
        return certificates.serial(shown)

    def answers(self, member: Member, sql: str, expected: str) -> bool:
        """Whether the answer is that one by now; a refused connection is no answer."""
        try:
            return self.ask(member, sql) == expected
        except LocalClusterError:
            return False

    @property
    def network(self) -> Path:
        """Its network namespace, as a file."""
        return Path("/run/netns", self.namespace)

    @contextmanager
    def writing(self, records: Path, posts: Sequence[str]) -> Iterator[None]:
        """Steady streams of writes beside what the test does, recorded in a file.

        Args:
            records: The file.
            posts: URLs to which Observations are POSTed, each by a client of its own.
        """
        hosts = [f"--host={each.address}" for each in CLUSTER.databases]
        program = [sys.executable, "-m", "tests.stacks.machines.writing", str(records), str(self.place.authority)]
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *program, *hosts, *(f"--post={url}" for url in posts)],
            env={"PGPASSWORD": PASSWORDS[c.OWNER], "PATH": "/usr/bin:/bin", "PYTHONPATH": "stacks"},
            cwd=Path(__file__).parents[3],
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
