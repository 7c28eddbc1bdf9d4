"""``sensorthings city``: new, check, preview, up, status, down. Registered by the command line's entry module."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from sensorthings_operator.cli.city import options, running, text
from sensorthings_operator.cli.city.folder import Checked, Stacks, checked, projects
from sensorthings_operator.cli.city.pulumi import PulumiError, require
from sensorthings_operator.cli.options import parsed
from sensorthings_stacks.cities import files, new
from sensorthings_stacks.settings.base import city_name
from sensorthings_stacks.settings.city import LETS_ENCRYPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sensorthings_stacks.cities.city import City

EXIT_FAILED: Final = 1
EXIT_NOT_UP: Final = 3
City_ = Annotated[str, typer.Argument(metavar="NAME", help="Name of the city.")]

app: Final = typer.Typer(
    help="The stacks of a city: write its configuration, check it, bring it up with Pulumi.", no_args_is_help=True
)


@app.command("new")
def new_city(  # noqa: PLR0913 - one parameter is one option of the command line
    name: options.Name,
    *,
    target: options.TargetOption = "azure",
    host: options.Host = None,
    certificate_email: options.Email = None,
    tenant: options.Tenant = None,
    acme_server: options.AcmeServer = LETS_ENCRYPT,
    keycloak_host: options.KeycloakHost = None,
    location: options.Location = None,
    dns_zone: options.DnsZone = None,
    network: options.Network = None,
    kubernetes_version: options.KubernetesVersion = "1.34",
    administrators: options.Administrators = None,
    authorized_range: options.AuthorizedRanges = None,
    administrator_key: options.AdministratorKey = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
    database_host: options.DatabaseHosts = None,
    stacks: Stacks = None,
) -> None:
    """Write the configuration of a new city, one file for each layer, and print the commands to go on with.

    Asks for what is not given. Writes nothing where something is wrong with the city, or with it beside the others.
    Ends with 0, 1 when it was refused, and 2 when it was called wrongly.
    """
    parsed(city_name, name, "NAME")
    folder = projects(stacks)
    others = {each: found.city for each, found in checked(folder).items()}
    if name in others:
        message = f"{name} is there already: change its files, or remove them"
        raise typer.BadParameter(message, param_hint="NAME")
    given = options.Given(
        name=name,
        target=target,
        host=host,
        email=certificate_email,
        tenant=tenant,
        acme_server=acme_server,
        keycloak_host=keycloak_host,
        location=location,
        dns_zone=dns_zone,
        network=network,
        kubernetes_version=kubernetes_version,
        administrators=administrators,
        authorized_ranges=authorized_range,
        administrator_key=administrator_key,
        context=context,
        kubeconfig=kubeconfig,
        database_hosts=database_host,
    )
    documents = new.documents(options.answers(given, others.values()))
    tell = _teller()
    refused = _tried(folder, name, documents)
    if refused.problems:
        tell("Nothing was written:", "red")
        _all(text.problems(refused), tell, "red")
        raise typer.Exit(EXIT_FAILED)
    _write(folder, name, documents)
    for layer in documents:
        tell(f"wrote {text.shortest(files.path_of(folder, layer, name))}")
    tell("Next:")
    _all((f"  {line}" for line in text.next_commands(checked(folder)[name].city, folder)), tell)


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="All cities if left out.")] = None,
    *,
    stacks: Stacks = None,
) -> None:
    """Validate the configuration of cities: each layer, the layers of a city together, and the cities beside another.

    Secrets are not looked into. Ends with 0, also where secrets are not there yet, 1 where something is wrong, and 2
    when it was called wrongly.
    """
    found = checked(projects(stacks))
    chosen = [_of(found, name) for name in names] if names else list(found.values())
    tell = _teller()
    for city in chosen:
        _all(text.problems(city), tell, "red")
        _all(text.missing(city.city), tell)
    wrong = [city.city.name for city in chosen if city.problems]
    good = len(chosen) - len(wrong)
    tell(f"{good} of {len(chosen)} {'city' if len(chosen) == 1 else 'cities'} can be used")
    if wrong:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def preview(name: City_, *, stacks: Stacks = None) -> None:
    """Show what `up` would do, layer by layer, as far as it can be known. Nothing is changed.

    Ends with 0, 1 when it failed or was refused, and 2 when it was called wrongly.
    """
    folder = projects(stacks)
    _run(lambda: running.preview(_complete(folder, name), folder, _teller()))


@app.command()
def up(
    name: City_,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    stacks: Stacks = None,
) -> None:
    """Bring a city up, layer by layer, with the `pulumi` that is installed here.

    Called again it goes on where it stopped; a layer that is as it should be is passed over. Refuses a plan that would
    replace or delete the cluster or a database disk. Ends with 0, 1 when it failed or was refused, and 2 when it was
    called wrongly.
    """
    folder = projects(stacks)
    _run(lambda: _up(folder, name, yes=yes))


@app.command()
def status(name: City_, *, stacks: Stacks = None) -> None:
    """Tell what Pulumi knows of a city's layers.

    Ends with 0 when all are up, 3 when not, 1 when it failed, and 2 when it was called wrongly.
    """
    folder = projects(stacks)
    _run(lambda: _status(folder, name))


@app.command()
def down(
    name: City_,
    *,
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name again, where nobody is there to be asked.")
    ] = None,
    stacks: Stacks = None,
) -> None:
    """Take a city away, the last layer first. What holds data is protected, and stays until somebody lets go of it.

    Ends with 0, 1 when it failed, and 2 when it was called wrongly.
    """
    folder = projects(stacks)
    typed = confirm if confirm is not None else typer.prompt(f"Type {name} to take it away", err=True)
    if typed != name:
        message = f"{typed} is not {name}: nothing was done"
        raise typer.BadParameter(message, param_hint="--confirm")
    _run(lambda: running.down(_known(folder, name).city, folder, _teller()))


def _up(folder: Path, name: str, *, yes: bool) -> None:
    city, tell = _complete(folder, name), _teller()
    if not yes and not typer.confirm(f"Bring up {name} ({len(running.layers(city, folder))} layers)?", err=True):
        raise typer.Exit(EXIT_FAILED)
    running.up(city, folder, tell)
    tell(f"{name} is up")


def _status(folder: Path, name: str) -> None:
    rows = list(running.status(_known(folder, name).city, folder))
    for layer, told, _ in rows:
        typer.echo(f"{layer:<10} {told}")
    if not all(good for _, _, good in rows):
        raise typer.Exit(EXIT_NOT_UP)


def _tried(folder: Path, name: str, documents: Mapping[str, str]) -> Checked:
    """The new city beside the others, in a copy of their files."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for layer in {path.parent.name for path in folder.glob("*/Pulumi.yaml")}:
            (copy / layer).mkdir()
            for path in (folder / layer).glob("Pulumi.*.yaml"):
                (copy / layer / path.name).write_bytes(path.read_bytes())
        _write(copy, name, documents)
        return checked(copy)[name]


def _write(folder: Path, name: str, documents: Mapping[str, str]) -> None:
    for layer, document in documents.items():
        files.path_of(folder, layer, name).write_text(document, encoding="utf-8")


def _known(folder: Path, name: str) -> Checked:
    return _of(checked(folder), name)


def _of(found: Mapping[str, Checked], name: str) -> Checked:
    if name not in found:
        message = f"there is no city {name}: there are {', '.join(found) or 'none'}"
        raise typer.BadParameter(message, param_hint="NAME")
    return found[name]


def _complete(folder: Path, name: str) -> City:
    """A city of which nothing is wrong and nothing is missing."""
    found, tell = _known(folder, name), _teller()
    if not found.is_complete:
        _all(text.problems(found), tell, "red")
        _all(text.missing(found.city), tell, "red")
        raise typer.Exit(EXIT_FAILED)
    if not (folder / ".venv").is_dir():
        raise PulumiError(f"The programs' own Python environment is not there\n  Make it: {text.ENVIRONMENT}")
    return found.city


def _run(act: Callable[[], None]) -> None:
    try:
        require()
        act()
    except PulumiError as error:
        _teller()(f"Error: {error}", "red")
        raise typer.Exit(EXIT_FAILED) from error


def _teller() -> Callable[..., None]:
    console = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def tell(line: str, style: str | None = None) -> None:
        console.print(line, style=style)

    return tell


def _all(lines: Iterable[str], tell: Callable[..., None], style: str | None = None) -> None:
    for line in lines:
        tell(line, style)
