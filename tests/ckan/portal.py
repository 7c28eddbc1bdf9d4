"""A CKAN on ports of the loopback with its PostgreSQL, Redis and Solr, and its administrator.

Started by the fixtures beside it; all of it is gone when it is stopped.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.images.conftest import free_port
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from tests.ckan.installation import Installation

_START_SECONDS: Final = 300  # on a busy machine
_STOP_SECONDS: Final = 30
_POSTGRESQL: Final = Path("/usr/lib/postgresql/15/bin")
_AS_POSTGRES: Final = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
PLUGINS: Final = "dcat structured_data"


class Portal:
    """A running CKAN; stop it at the end."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._folder = Path(tempfile.mkdtemp(prefix="ckan-"))
        self._folder.chmod(0o755)
        self._read = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._database, self._redis, self._solr, self._port = (free_port() for _ in range(4))
        self.config = self._folder / "ckan.ini"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """Of the loopback."""
        return self._port

    def start(self) -> None:
        """All of it, until it answers."""
        self._start_database()
        self._run("redis", "redis-server", "--port", str(self._redis), "--bind", "127.0.0.1", "--save", "")
        home = self._folder / "solr"
        (home / "ckan" / "conf").mkdir(parents=True)
        (home / "solr.xml").write_text("<solr/>\n")
        (home / "ckan" / "core.properties").write_text("name=ckan\n")
        for name in ("protwords.txt", "synonyms.txt", "stopwords.txt"):
            (home / "ckan" / "conf" / name).touch()
        shutil.copy(self.installation.schema, home / "ckan" / "conf" / "schema.xml")
        shutil.copy(self.installation.folder / "solr" / "solrconfig.xml", home / "ckan" / "conf")
        self.start_solr()
        self._configure()
        self._run("ckan", *self._ckan("run", "-H", "127.0.0.1", "-p", str(self._port), "--disable-reloader"))
        await_true(lambda: self._answers("ckan", f"{self.url}/api/3/action/status_show"), "CKAN", _START_SECONDS, 0.5)
        self.admin = self._admin()

    def start_solr(self) -> None:
        """The search index, as it was."""
        loopback = ("-Dhost=127.0.0.1", "-Dsolr.jetty.host=127.0.0.1")
        path, home = self.installation.class_path, str(self._folder / "solr")
        self._run("solr", "java", "-Xmx384m", *loopback, "-cp", path, "Solr", home, str(self._solr))
        ping = f"http://127.0.0.1:{self._solr}/solr/ckan/select?q=*:*&rows=0"
        await_true(lambda: self._answers("solr", ping), f"Solr; its log is in {self._folder}", _START_SECONDS, 0.5)

    def stop_solr(self) -> None:
        """The search index goes."""
        self._end("solr")

    def empty_index(self) -> None:
        """The search index forgets everything."""
        body = b'{"delete": {"query": "*:*"}}'
        url = f"http://127.0.0.1:{self._solr}/solr/ckan/update?commit=true"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

    def reindex(self) -> None:
        """The search index is made anew, as an administrator of CKAN does."""
        subprocess.run(self._ckan("search-index", "rebuild"), check=True, capture_output=True, timeout=120)

    def stop(self) -> None:
        """All of it."""
        for name in ("ckan", "solr", "redis", "postgresql"):
            self._end(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def calls(self) -> list[str]:
        """Actions of the operator since this was asked last, as CKAN's own log has them."""
        told = (self._folder / "ckan.log").read_text()
        new, self._read = told[self._read :], len(told)
        return re.findall(r"/api/3/action/(\w+)", new)

    def call(self, action: str, body: dict[str, Any], token: str) -> Any:
        """An action as somebody; its result.

        Raises:
            urllib.error.HTTPError: It was refused.
        """
        headers = {"Authorization": token, "Content-Type": "application/json"}
        url = f"{self.url}/api/3/action/{action}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read())["result"]

    def editor(self, organization: str) -> str:
        """A token of somebody who may make datasets in a new organization, and is no administrator."""
        name = f"editor-{secrets.token_hex(4)}"
        account = {"name": name, "email": f"{name}@city.example", "password": secrets.token_hex(12)}
        self.call("user_create", account, self.admin)
        self.call("organization_create", {"name": organization, "title": organization}, self.admin)
        member = {"id": organization, "username": name, "role": "editor"}
        self.call("organization_member_create", member, self.admin)
        return str(self.call("api_token_create", {"user": name, "name": "operator"}, self.admin)["token"])

    def _start_database(self) -> None:
        data = self._folder / "postgresql"
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        initdb = [*_AS_POSTGRES, str(_POSTGRESQL / "initdb"), "-D", str(data), "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*initdb, "--locale=C.UTF-8"], check=True, capture_output=True)
        server = [str(_POSTGRESQL / "postgres"), "-D", str(data), "-p", str(self._database), "-k", str(data)]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        self._run("postgresql", *_AS_POSTGRES, *server, *options)
        at = ["-h", "127.0.0.1", "-p", str(self._database), "-U", "postgres"]
        ready = [str(_POSTGRESQL / "pg_isready"), *at]
        await_true(lambda: _succeeds(ready), "PostgreSQL", _START_SECONDS, 0.2)
        subprocess.run([str(_POSTGRESQL / "createdb"), *at, "ckan"], check=True)

    def _configure(self) -> None:
        subprocess.run([self.installation.ckan, "generate", "config", self.config], check=True, capture_output=True)
        settings = {
            "sqlalchemy.url": f"postgresql://postgres@127.0.0.1:{self._database}/ckan",
            "solr_url": f"http://127.0.0.1:{self._solr}/solr/ckan",
            "ckan.redis.url": f"redis://127.0.0.1:{self._redis}/0",
            "ckan.site_url": self.url,
            "ckan.plugins": PLUGINS,
            # As a German city has it: what it refuses is told in German, and of texts it takes those in German.
            "ckan.locale_default": "de",
            "ckan.storage_path": str(self._folder / "storage"),
        }
        given = [f"{name}={value}" for name, value in settings.items()]
        tool = [str(self.installation.ckan), "config-tool", str(self.config), *given]
        subprocess.run(tool, check=True, capture_output=True)
        self._do("db", "init")

    def _admin(self) -> str:
        """A token of an administrator of all of CKAN."""
        self._do("user", "add", "admin", "email=admin@city.example", f"password={secrets.token_hex(12)}")
        self._do("sysadmin", "add", "admin")
        return self._do("user", "token", "add", "admin", "tests").strip().splitlines()[-1].strip()

    def _ckan(self, *arguments: str) -> list[str]:
        return [str(self.installation.ckan), "-c", str(self.config), *arguments]

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(self._ckan(*arguments), capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def _run(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["nice", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, env=os.environ
            )

    def _answers(self, name: str, url: str) -> bool:
        log = self._folder / f"{name}.log"
        assert self._processes[name].poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(url, timeout=10).close()  # noqa: S310
        except (OSError, urllib.error.URLError):
            return False
        return True

    def _end(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
