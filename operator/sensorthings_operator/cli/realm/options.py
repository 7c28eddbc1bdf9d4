"""The options of ``sensorthings realm``, and how what was typed is read. Used by ``command``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import SecretStr

from sensorthings_operator.cli.options import parsed
from sensorthings_operator.cli.realm.directory import Directory, Vendor, directory_url

_DIRECTORY: Final = "Directory"

Realm = Annotated[str, typer.Argument(metavar="REALM", help="The realm's name.")]
Url = Annotated[str, typer.Option(help="The Keycloak, as services and people reach it: https://id.city.example.")]
AdminUser = Annotated[str, typer.Option(metavar="NAME", help="An administrator of Keycloak.")]
AdminPasswordFile = Annotated[Path, typer.Option(metavar="FILE", help="File with the administrator's password.")]
AdminRealm = Annotated[str, typer.Option(metavar="REALM", help="The realm in which they are one.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="The operator's namespace, of the Secret.")]
SecretName = Annotated[str | None, typer.Option("--secret", metavar="NAME", help="Its name; else keycloak-REALM.")]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over a realm that this command did not make.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done, and print no Secret.")]

LdapUrl = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="A directory whose people may log in: ldaps://HOST, or ldap://HOST by StartTLS. More of them: others to "
        "ask where it does not answer.",
        rich_help_panel=_DIRECTORY,
    ),
]
LdapVendor = Annotated[
    Vendor | None, typer.Option(help="ad is Active Directory. Required with --ldap-url.", rich_help_panel=_DIRECTORY)
]
LdapUsersDn = Annotated[
    str | None,
    typer.Option(metavar="DN", help="Where its people are. Required with --ldap-url.", rich_help_panel=_DIRECTORY),
]
LdapBindDn = Annotated[
    str | None,
    typer.Option(metavar="DN", help="As whom Keycloak reads it; else as anybody.", rich_help_panel=_DIRECTORY),
]
LdapBindPasswordFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File with that one's password.", rich_help_panel=_DIRECTORY)
]
LdapUsername = Annotated[
    str | None,
    typer.Option(
        "--ldap-username-attribute",
        metavar="NAME",
        help="What people log in by: else uid, of ad sAMAccountName.",
        rich_help_panel=_DIRECTORY,
    ),
]
LdapFilter = Annotated[
    str | None,
    typer.Option(metavar="FILTER", help="Who of them may, such as (memberOf=…).", rich_help_panel=_DIRECTORY),
]
LdapTest = Annotated[
    bool,
    typer.Option(help="Have Keycloak connect and log in before anything of it is changed.", rich_help_panel=_DIRECTORY),
]


def read_password(file: Path) -> SecretStr:
    """The first line of a file that a person named.

    Raises:
        ValueError: with a sentence that says what is wrong with it, and never holds the password.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        message = f"{file} can't be read: {error.strerror}"
        raise ValueError(message) from error
    except UnicodeDecodeError:
        message = f"{file} is no text in UTF-8"
        # Not the cause: it knows what stood in the file.
        raise ValueError(message) from None
    if len(lines) != 1 or not lines[0]:
        message = f"{file} must hold a password on one line, and nothing else"
        raise ValueError(message)
    return SecretStr(lines[0])


def directory(  # noqa: PLR0913 - one parameter is one option of the command line
    *,
    urls: list[str] | None,
    vendor: Vendor | None,
    users_dn: str | None,
    bind_dn: str | None,
    bind_password_file: Path | None,
    username: str | None,
    search_filter: str | None,
) -> Directory | None:
    """The options of a directory together; None where there is none.

    Raises:
        typer.BadParameter: one is missing or wrong; ends the command with 2.
    """
    if not urls:
        if any((vendor, users_dn, bind_dn, bind_password_file, username, search_filter)):
            message = "the other options of a directory need it"
            raise typer.BadParameter(message, param_hint="--ldap-url")
        return None
    if vendor is None or not users_dn:
        message = "--ldap-url needs --ldap-vendor and --ldap-users-dn"
        raise typer.BadParameter(message)
    if bool(bind_dn) != bool(bind_password_file):
        message = "--ldap-bind-dn and --ldap-bind-password-file go together"
        raise typer.BadParameter(message)
    if search_filter and not (search_filter.startswith("(") and search_filter.endswith(")")):
        message = f"'{search_filter}' has no parentheses around it"
        raise typer.BadParameter(message, param_hint="--ldap-filter")
    read = tuple(parsed(directory_url, url, "--ldap-url") for url in urls)
    if len({url.partition(":")[0] for url in read}) > 1:
        message = "give ldaps:// for all of them, or ldap://"
        raise typer.BadParameter(message, param_hint="--ldap-url")
    password = parsed(read_password, bind_password_file, "--ldap-bind-password-file") if bind_password_file else None
    return Directory(read, vendor, users_dn, bind_dn or "", password, username or "", search_filter or "")
