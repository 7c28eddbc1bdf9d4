"""``sensorthings realm``: makes a realm in Keycloak. The function is registered by the command line's entry module."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console

from sensorthings_operator.api.realm import MASTER, OPERATOR_CLIENT, realm_name, secret_name
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.options import CaCert, ConnectTo, access, parsed
from sensorthings_operator.cli.realm import making, options
from sensorthings_operator.cli.realm.administrator import Administrator, Login, keycloak_url
from sensorthings_operator.cli.realm.federation import ensure_directory
from sensorthings_operator.cli.realm.hands import Hands
from sensorthings_operator.cli.realm.manifest import secret_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensorthings_operator.cli.access import Access
    from sensorthings_operator.cli.realm.directory import Directory

EXIT_FAILED: Final = 1


@dataclass(frozen=True)
class _Asked:
    """What the person asked for."""

    realm: str
    url: str
    login: Login
    access: Access
    directory: Directory | None
    test: bool
    adopt: bool
    dry: bool


def realm(  # noqa: PLR0913 - one parameter is one option of the command line
    realm: options.Realm,
    *,
    url: options.Url,
    admin_password_file: options.AdminPasswordFile,
    admin_user: options.AdminUser = "admin",
    admin_realm: options.AdminRealm = MASTER,
    cacert: CaCert = None,
    connect_to: ConnectTo = None,
    namespace: options.Namespace = "sensorthings-system",
    secret: options.SecretName = None,
    adopt: options.Adopt = False,
    dry_run: options.DryRun = False,
    ldap_url: options.LdapUrl = None,
    ldap_vendor: options.LdapVendor = None,
    ldap_users_dn: options.LdapUsersDn = None,
    ldap_bind_dn: options.LdapBindDn = None,
    ldap_bind_password_file: options.LdapBindPasswordFile = None,
    ldap_username_attribute: options.LdapUsername = None,
    ldap_filter: options.LdapFilter = None,
    ldap_test: options.LdapTest = True,
) -> None:
    """Make a realm in Keycloak in which the operator makes a client for each service, and print its Secret.

    For an administrator of Keycloak; the operator itself may do nothing but manage clients of the realm. Pipe it into
    `kubectl apply -f -`; what was done is told on standard error. Called again it brings back what it made, keeps the
    secret, and leaves everything else alone.

    Ends with 0, 1 when it failed, and 2 when it was called wrongly.
    """
    asked = _Asked(
        realm=parsed(realm_name, realm, "REALM"),
        url=parsed(keycloak_url, url, "--url"),
        login=Login(
            admin_user, parsed(options.read_password, admin_password_file, "--admin-password-file"), admin_realm
        ),
        access=access(cacert, connect_to, None),
        directory=options.directory(
            urls=ldap_url,
            vendor=ldap_vendor,
            users_dn=ldap_users_dn,
            bind_dn=ldap_bind_dn,
            bind_password_file=ldap_bind_password_file,
            username=ldap_username_attribute,
            search_filter=ldap_filter,
        ),
        test=ldap_test,
        adopt=adopt,
        dry=dry_run,
    )
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    try:
        drawn = asyncio.run(_make(asked, notes.print))
    except SensorThingsError as error:
        notes.print(f"Error: {error}", style="red")
        raise typer.Exit(EXIT_FAILED) from error
    if dry_run:
        return
    sys.stdout.write(
        secret_text(
            url=asked.url,
            realm=asked.realm,
            namespace=namespace,
            name=secret or secret_name(asked.realm),
            client_id=OPERATOR_CLIENT,
            client_secret=drawn,
            authority=asked.access.authority,
        )
    )


async def _make(asked: _Asked, tell: Callable[[str], None]) -> str:
    """The client's secret; empty after a dry run."""
    async with Administrator(asked.url, asked.login, asked.access) as keycloak:
        hands = Hands(keycloak, asked.realm, tell, dry=asked.dry)
        await making.ensure_realm(hands, adopt=asked.adopt)
        client = await making.ensure_client(hands)
        await making.ensure_right(hands, client)
        if asked.directory is not None:
            await ensure_directory(hands, asked.directory, test=asked.test)
        await making.tell_issuer(hands)
        return await making.client_secret(hands, client) if client and not asked.dry else ""
