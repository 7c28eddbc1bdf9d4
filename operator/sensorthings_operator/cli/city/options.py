"""The options of ``sensorthings city new``, and the questions that are asked where one is missing."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sensorthings_stacks.cities.new import Answers, free_network
from sensorthings_stacks.settings.city import LETS_ENCRYPT
from sensorthings_stacks.settings.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensorthings_stacks.cities.city import City

_AZURE: Final = "On Azure"
_EXISTING: Final = "On an existing cluster"

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name: 2 to 12 lower-case letters and digits.")]
TargetOption = Annotated[
    Target, typer.Option("--target", help="azure: make network, cluster and database. existing: use those there are.")
]
Host = Annotated[str | None, typer.Option(help="Host name of its first service, such as iot.munich.example.")]
Email = Annotated[str | None, typer.Option("--certificate-email", help="Where the certificate authority writes to.")]
Tenant = Annotated[str | None, typer.Option(help="Namespace of its first tenant; the city's name if left out.")]
AcmeServer = Annotated[str, typer.Option(metavar="URL", help="Directory of the certificate authority.")]
KeycloakHost = Annotated[
    str | None,
    typer.Option(
        metavar="HOST",
        help="Keycloak in which the city gets a realm, such as id.munich.example: the platform's own where the name is "
        "of the DNS zone to make, else one that is there. Left out, the service has users with passwords of its own.",
    ),
]
Location = Annotated[str | None, typer.Option(help="Region, such as germanywestcentral.", rich_help_panel=_AZURE)]
DnsZone = Annotated[str | None, typer.Option(help="DNS zone to make, such as munich.example.", rich_help_panel=_AZURE)]
Network = Annotated[
    str | None,
    typer.Option(
        metavar="RANGE", help="Virtual network; the first 10.N.0.0/16 that no other city has.", rich_help_panel=_AZURE
    ),
]
KubernetesVersion = Annotated[str, typer.Option(help="Minor version.", rich_help_panel=_AZURE)]
Administrators = Annotated[
    list[str] | None,
    typer.Option("--administrators", metavar="ID", help="Entra group; may be repeated.", rich_help_panel=_AZURE),
]
AuthorizedRanges = Annotated[
    list[str] | None,
    typer.Option(
        "--authorized-range",
        metavar="RANGE",
        help="Public addresses that reach the Kubernetes API; may be repeated. Without one the API is private.",
        rich_help_panel=_AZURE,
    ),
]
AdministratorKey = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Public SSH key.", rich_help_panel=_AZURE),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.", rich_help_panel=_EXISTING)]
Kubeconfig = Annotated[
    str | None, typer.Option(metavar="FILE", help="Where kubectl looks if left out.", rich_help_panel=_EXISTING)
]
DatabaseHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--database-host",
        metavar="HOST",
        help="Machine of the database, the primary first; may be repeated.",
        rich_help_panel=_EXISTING,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What was typed of a new city; None where nothing was."""

    name: str
    target: Target
    host: str | None
    email: str | None
    tenant: str | None
    acme_server: str
    keycloak_host: str | None
    location: str | None
    dns_zone: str | None
    network: str | None
    kubernetes_version: str
    administrators: list[str] | None
    authorized_ranges: list[str] | None
    administrator_key: Path | None
    context: str | None
    kubeconfig: str | None
    database_hosts: list[str] | None


def answers(given: Given, others: Iterable[City]) -> Answers:
    """What was typed, completed by questions where somebody is there to answer them.

    Raises:
        typer.BadParameter: Something is missing and nobody is there, or a range is none; ends the command with 2.
    """
    asked = _Questions()
    on_azure = given.target == "azure"
    zone = asked.for_("--dns-zone", given.dns_zone, "DNS zone to make", f"{given.name}.example") if on_azure else ""
    found = {
        "host": asked.for_("--host", given.host, "Host name of the first service", f"iot.{zone}" if zone else ""),
        "email": asked.for_("--certificate-email", given.email, "Where the certificate authority writes to"),
    }
    if on_azure:
        found["location"] = asked.for_("--location", given.location, "Region of Azure", "germanywestcentral")
        administrators = given.administrators or _words(
            asked.for_("--administrators", None, "Object ids of the administrators' Entra groups")
        )
        key = asked.for_(
            "--administrator-key",
            None if given.administrator_key is None else str(given.administrator_key),
            "File with the public SSH key of the administrators",
        )
        hosts: list[str] = []
    else:
        found["context"] = asked.for_("--context", given.context, "Context of the kubeconfig")
        hosts = given.database_hosts or _words(
            asked.for_("--database-host", None, "Machines of the database, the primary first")
        )
        administrators, key = [], ""
    asked.require_all()
    return Answers(
        name=given.name,
        target=given.target,
        tenant=given.tenant or given.name,
        acme_server=given.acme_server or LETS_ENCRYPT,
        keycloak_host=given.keycloak_host or "",
        dns_zone=zone,
        network=_network(given.network, others) if on_azure else None,
        kubernetes_version=given.kubernetes_version,
        administrators=administrators,
        authorized_ranges=given.authorized_ranges or [],
        administrator_key=_text(key),
        kubeconfig=given.kubeconfig or "",
        database_hosts=hosts,
        **found,
    )


class _Questions:
    """Asks where somebody sits at the terminal; elsewhere it gathers what is missing."""

    def __init__(self) -> None:
        self._absent: list[str] = []

    def for_(self, option: str, given: str | None, question: str, default: str = "") -> str:
        if given:
            return given
        if sys.stdin.isatty():
            return str(typer.prompt(question, default=default or None, err=True))
        self._absent.append(option)
        return ""

    def require_all(self) -> None:
        if self._absent:
            message = f"nobody is there to be asked: give {', '.join(self._absent)}"
            raise typer.BadParameter(message)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _text(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file} can't be read: {error}"
        raise typer.BadParameter(message, param_hint="--administrator-key") from error


def _network(given: str | None, others: Iterable[City]) -> IPv4Network:
    try:
        return IPv4Network(given) if given else free_network(others)
    except ValueError as error:
        message = f"{error}; a range in CIDR notation whose host bits are zero, such as 10.30.0.0/16"
        raise typer.BadParameter(message, param_hint="--network") from error
