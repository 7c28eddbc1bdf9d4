"""A machine with Azure's services beside it, as far as they can be had here: Microsoft's own emulator of blob storage,
and a stand-in for identities and the key vault.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from localcluster import debian
from localcluster.commands import run
from localcluster.plan import cache_folder
from sensorthings_stacks import user_data
from sensorthings_stacks.machines.cluster import BlobArchive, KeyVault
from tests.stacks.machines import site
from tests.stacks.machines.identity import METADATA, token
from tests.stacks.machines.virtual import Boot, Machine, disk_of_its_own, machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sensorthings_stacks.machines.cluster import Member

ACCOUNT: Final = "city"
_BLOBS, _VAULT = f"{ACCOUNT}.blob.core.windows.net", f"{ACCOUNT}.vault.azure.net"
_CONTAINER: Final = BlobArchive(f"https://{_BLOBS}/postgresql")
CLUSTER: Final = dataclasses.replace(
    site.CLUSTER,
    secrets=KeyVault(f"https://{_VAULT}/"),
    archive=_CONTAINER,
    identities={member.name: f"identity-of-{member.name}" for member in site.CLUSTER.members},
)
_VAULT_ADDRESS: Final = "127.0.0.3"
_HOSTS: Final = {"localhost": "127.0.0.1", _BLOBS: "127.0.0.1", _VAULT: _VAULT_ADDRESS}
_ADDRESS: Final = IPv4Interface("10.20.48.10/16")
_AUTHORITIES: Final = "etc/ssl/certs/ca-certificates.crt"
_LOCK: Final = Path(__file__).with_name("azurite")


@contextmanager
def machine_on_azure(place: site.Site, member: Member) -> Iterator[Machine]:
    """A machine with the scripts of a member; nothing of it is started."""
    folder = place.folder / "azure"
    with ExitStack() as stack:
        own = stack.enter_context(disk_of_its_own(place.root, folder / "disk"))
        (own / "etc/hosts").write_text("".join(f"{address} {name}\n" for name, address in _HOSTS.items()))
        with (own / _AUTHORITIES).open("a") as trusted:
            trusted.write(place.issuer.certificate)
        namespace = stack.enter_context(place.segment.port("azure", _ADDRESS))
        run(["ip", "-n", namespace, "address", "add", f"{METADATA}/32", "dev", "lo"])
        stack.enter_context(_services(place, folder, namespace, CLUSTER.identities[member.name]))
        boot = Boot(
            member.name,
            root=own,
            namespace=namespace,
            folder=folder / "boot",
            instance=secrets.token_hex(4),
            user_data=_scripts(member),
            binds=[],
        )
        yield stack.enter_context(machine(boot))


def _scripts(member: Member) -> str:
    whole = yaml.safe_load(user_data.of(CLUSTER, member))
    scripts = [file for file in whole["write_files"] if file["path"].startswith("/usr/local/sbin/")]
    # The names of what is beside it are in its hosts already. cloud-init's own locale is none that is installed.
    settings = {"locale": whole["locale"], "manage_etc_hosts": False, "write_files": scripts}
    return f"#cloud-config\n{yaml.safe_dump(settings)}"


@contextmanager
def _services(place: site.Site, folder: Path, namespace: str, reader: str) -> Iterator[None]:
    key, certificate = place.issuer.server(_BLOBS, _VAULT)
    files = {name: folder / name for name in ("key", "certificate", "both")}
    for name, content in {"key": key, "certificate": certificate, "both": key + certificate}.items():
        files[name].write_text(content)
    tls = [f"--cert={files['certificate']}", f"--key={files['key']}", "--oauth", "basic"]
    listening = ["--blobHost", _HOSTS[_BLOBS], "--blobPort", "443", "--location", str(folder / "blobs")]
    emulator = ["node", str(_emulator()), *listening, *tls, "--skipApiVersionCheck", "--disableTelemetry"]
    identity = [sys.executable, "-m", "tests.stacks.machines.identity", _VAULT_ADDRESS]
    answers = [*identity, str(place.folder / "secrets"), str(files["both"]), reader]
    account = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{'A' * 86}=="}
    with _running(namespace, emulator, folder, account), _running(namespace, answers, folder, {}):
        _make_container(place, namespace)
        yield


def _make_container(place: site.Site, namespace: str) -> None:
    """The stack makes it in the city's name, which its machines could not."""
    headers = {
        "Authorization": f"Bearer {token('https://storage.azure.com', 'city')}",
        "x-ms-version": "2021-08-06",
        "Content-Length": "0",
    }
    given = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    patient = ["--fail", "--silent", "--show-error", "--retry", "60", "--retry-delay", "1", "--retry-connrefused"]
    there = ["--resolve", f"{_BLOBS}:443:{_HOSTS[_BLOBS]}", "--cacert", str(place.authority)]
    asked = ["--request", "PUT", f"{_CONTAINER.url}?restype=container"]
    run(["ip", "netns", "exec", namespace, "curl", *patient, *there, *given, *asked])


@contextmanager
def _running(namespace: str, argv: Sequence[str], folder: Path, more: Mapping[str, str]) -> Iterator[None]:
    with (folder / "services.log").open("ab") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, *argv],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": "stacks", **more},
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _emulator() -> Path:
    """The program of the emulator, from npm by the lock file, without scripts of its packages being run."""
    wanted = hashlib.sha256((_LOCK / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache_folder() / "machines"
    made = folder / f"azurite-{wanted}"
    with (folder / "azurite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            draft = folder / ".azurite"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(_LOCK, draft)
            if shutil.which("npm") is None:
                debian.ensure(("npm",))
            options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            run(["npm", "ci", *options], folder=draft, remedy="Is an npm registry reachable?")
            draft.rename(made)
    return made / "node_modules/azurite/dist/src/blob/main.js"
