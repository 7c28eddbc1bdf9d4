"""What a person can type next once `up` is done: whole commands, tested as they are printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localcluster.addons.keycloak import TOKEN_URL

if TYPE_CHECKING:
    from localcluster.endpoints import Endpoints

_MEANWHILE = "    # in another terminal, meanwhile"
_ACCESS = """python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'"""
_THING = '{"name": "Rathausmarkt", "description": "A square"}'


@dataclass(frozen=True, slots=True)
class Programs:
    """How the programs are typed from where the person is.

    Args:
        sensorthings: The command line.
        python: The interpreter that has its packages.
        player: examples/hamburg/play.py.
    """

    sensorthings: str
    python: str
    player: str


def next_commands(endpoints: Endpoints, programs: Programs, down: str) -> list[str]:
    """The commands, in the order in which they make sense.

    Args:
        endpoints: What is there.
        programs: How they are typed.
        down: What takes the cluster down; empty where it is not ours.
    """
    commands = []
    if endpoints.sensorthings:
        commands += _commands(endpoints, programs)
    if endpoints.kubeconfig:
        commands.append(f"export KUBECONFIG={quote(endpoints.kubeconfig)} PATH={Path(endpoints.kubectl).parent}:$PATH")
    if endpoints.sensorthings:
        commands += [f"{programs.sensorthings} status", "kubectl get sensorthingsservices --all-namespaces"]
    commands.append("kubectl get pods --all-namespaces")
    return [*commands, down] if down else commands


def _commands(endpoints: Endpoints, programs: Programs) -> list[str]:
    inside = re.match(r"http://([^.]+)\.([^.]+)\.svc\.", endpoints.sensorthings)
    if inside:
        return [f"kubectl --namespace {inside[2]} port-forward service/{inside[1]} 8080:80"]
    return _exposed(endpoints, programs) if endpoints.address else _plain(endpoints, programs)


def _plain(endpoints: Endpoints, programs: Programs) -> list[str]:
    where = f" --url {endpoints.sensorthings} --mqtt {endpoints.mqtt}"
    return [
        f"curl {quote(f'{endpoints.sensorthings}/Things')}",
        f"{programs.python} {programs.player}{where} --duration 60",
        f"{programs.sensorthings} observe{where}{_MEANWHILE}",
    ]


def _exposed(endpoints: Endpoints, programs: Programs) -> list[str]:
    things = quote(f"{endpoints.sensorthings}/Things")
    where = f" --url {endpoints.sensorthings} --mqtt {endpoints.mqtt}"
    trust = f" --cacert {quote(endpoints.ca)} --connect-to {endpoints.address}"
    writer = f" --client-credentials {quote(endpoints.writer)}" if endpoints.writer else ""
    commands = [f"{curl(endpoints, endpoints.sensorthings)} {things}"]
    if endpoints.writer:
        form = quote(f"@{Path(endpoints.writer).with_suffix('.form')}")
        commands += [
            f"TOKEN=$({curl(endpoints, endpoints.keycloak)} --data {form} {TOKEN_URL} | {_ACCESS})",
            f'{curl(endpoints, endpoints.sensorthings)} --header "Authorization: Bearer $TOKEN"'
            f" --json {quote(_THING)} --include {things}",
        ]
    both = f"{where} --mqtt {endpoints.websocket}{trust}{writer}"
    return [
        *commands,
        f"{programs.python} {programs.player}{both} --duration 60",
        f"{programs.sensorthings} observe{where}{trust}{_MEANWHILE}",
    ]


def curl(endpoints: Endpoints, url: str) -> str:
    """curl as it reaches a public name, whatever the machine's own DNS knows of it."""
    host = urlsplit(url).hostname
    return f"curl --silent --show-error --cacert {quote(endpoints.ca)} --resolve {host}:443:{endpoints.address}"
