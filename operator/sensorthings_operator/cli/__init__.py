"""The ``sensorthings`` command: one function for each subcommand, registered here."""

import sys
from pathlib import Path

import typer

from sensorthings_operator.cli.backup.command import app as backup
from sensorthings_operator.cli.city.command import app as city
from sensorthings_operator.cli.database.command import app as database
from sensorthings_operator.cli.doctor.command import doctor
from sensorthings_operator.cli.down import down
from sensorthings_operator.cli.observe import observe
from sensorthings_operator.cli.realm.command import realm
from sensorthings_operator.cli.render import render
from sensorthings_operator.cli.status.command import status
from sensorthings_operator.cli.token import app as token
from sensorthings_operator.cli.up import up

app = typer.Typer(
    help="OGC SensorThings services on Kubernetes: bring one up, look at it, take it down.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (up, down, status, doctor, render, observe, realm):
    app.command()(command)
app.add_typer(database, name="database")
app.add_typer(backup, name="backup")
app.add_typer(token, name="token")
app.add_typer(city, name="city")


def main() -> None:
    """Entry point of the scripts ``sensorthings`` and ``kubectl-sensorthings``, which kubectl runs as its plugin."""
    app(prog_name=Path(sys.argv[0]).name.replace("kubectl-", "kubectl "))
