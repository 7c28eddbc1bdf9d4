"""A realm of Keycloak, with a client of the operator's that may manage clients of it and nothing else. City layer.

What `sensorthings realm` makes, declared: each finds the other's realm as it should be, and the command adds the city's
directory. Keycloak is the platform's own, or one that the city has anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_keycloak as keycloak
import pulumi_kubernetes as kubernetes
from pulumi import InvokeOutputOptions, Output, ResourceOptions

from sensorthings_operator.api.realm import (
    CLIENT_SETTINGS,
    MAKER,
    MANAGEMENT_CLIENT,
    MARK,
    MASTER,
    OPERATOR_CLIENT,
    RIGHT,
    TOKEN_SECONDS,
)
from sensorthings_stacks import configuration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensorthings_stacks.settings import city

OPERATORS_NAMESPACE: Final = "sensorthings-system"
"""The platform's operator reads the Secret there."""
_CONSOLE: Final = "admin-cli"
"""The client with which an administrator's password is enough."""
_TOKENS: Final = f"{TOKEN_SECONDS // 60}m0s"


_GUESSING: Final = {
    "permanent_lockout": False,
    "max_login_failures": 30,
    "wait_increment_seconds": 60,
    "quick_login_check_milli_seconds": 1000,
    "minimum_quick_login_wait_seconds": 60,
    "max_failure_wait_seconds": 900,
    "failure_reset_time_seconds": 43200,
}
"""Keycloak's own numbers against guessed passwords."""


@dataclass(frozen=True)
class RealmArgs:
    """Arguments of a Realm."""

    provider: kubernetes.Provider
    """Access to the cluster of the operator."""
    settings: city.Realm
    """What the city configured."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before Keycloak can be reached."""


class Realm(pulumi.ComponentResource):
    """The realm, the operator's client in it, and the Secret with which the operator logs in."""

    secret_name: Output[str]
    """Name of that Secret, once the operator may do what it has to."""

    def __init__(self, name: str, args: RealmArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:city:Realm", name, None, opts)
        self._name, self._args = name, args
        self._keycloak = self._administration()
        # People's accounts: they stay, also when the stack goes.
        realm = keycloak.Realm(
            name, **_realm(args.settings.name), opts=self._options(protect=True, retain_on_delete=True)
        )
        client = keycloak.openid.Client(
            f"{name}-operator", realm_id=realm.id, **_client(), opts=self._options(depends_on=[realm])
        )
        rights = self._rights(realm, client)
        secret = self._secret(client, rights)
        self.secret_name = secret.metadata.name
        self.register_outputs({"secretName": self.secret_name})

    def _administration(self) -> keycloak.Provider:
        settings = self._args.settings
        return keycloak.Provider(
            self._name,
            url=settings.url,
            realm=MASTER,
            client_id=_CONSOLE,
            username=settings.administrator,
            password=configuration.secret(settings.administrator_password),
            root_ca_certificate=settings.certificate_authority or None,
            # A preview before Keycloak is there would fail otherwise.
            initial_login=False,
            opts=ResourceOptions(parent=self, depends_on=list(self._args.after)),
        )

    def _rights(self, realm: keycloak.Realm, client: keycloak.openid.Client) -> list[pulumi.Resource]:
        """The client's account has one right, and its tokens carry that alone, whatever the account is given later."""
        asked = InvokeOutputOptions(parent=self, provider=self._keycloak, depends_on=[realm])
        management = keycloak.openid.get_client_output(realm_id=realm.id, client_id=MANAGEMENT_CLIENT, opts=asked)
        right = keycloak.get_role_output(realm_id=realm.id, client_id=management.id, name=RIGHT, opts=asked)
        return [
            keycloak.openid.ClientServiceAccountRole(
                f"{self._name}-operator",
                realm_id=realm.id,
                service_account_user_id=client.service_account_user_id,
                client_id=management.id,
                role=RIGHT,
                opts=self._options(),
            ),
            keycloak.GenericRoleMapper(
                f"{self._name}-operator",
                realm_id=realm.id,
                client_id=client.id,
                role_id=right.id,
                opts=self._options(),
            ),
        ]

    def _secret(self, client: keycloak.openid.Client, rights: list[pulumi.Resource]) -> kubernetes.core.v1.Secret:
        settings = self._args.settings
        authority = {"ca.crt": settings.certificate_authority} if settings.certificate_authority else {}
        drawn: Output[str] = Output.secret(client.client_secret)
        return kubernetes.core.v1.Secret(
            f"{self._name}-realm",
            metadata={"name": settings.secret_name, "namespace": OPERATORS_NAMESPACE},
            string_data={
                "client-id": OPERATOR_CLIENT,
                "client-secret": drawn,
                **authority,
            },
            opts=ResourceOptions(parent=self, provider=self._args.provider, depends_on=rights),
        )

    def _options(self, **more: Any) -> ResourceOptions:
        return ResourceOptions(parent=self, provider=self._keycloak, **more)


def _realm(name: str) -> dict[str, Any]:
    """The settings that `sensorthings realm` gives a realm, in the names of Pulumi's provider."""
    return {
        "realm": name,
        "enabled": True,
        "ssl_required": "external",
        "registration_allowed": False,
        # Given at all, it is switched on.
        "security_defenses": {"brute_force_detection": _GUESSING},
        "access_token_lifespan": _TOKENS,
        "access_token_lifespan_for_implicit_flow": _TOKENS,
        "attributes": {MARK: MAKER},
    }


def _client() -> dict[str, Any]:
    return {
        "client_id": OPERATOR_CLIENT,
        "name": CLIENT_SETTINGS["name"],
        "description": CLIENT_SETTINGS["description"],
        "enabled": True,
        "access_type": "CONFIDENTIAL",
        "client_authenticator_type": "client-secret",
        "service_accounts_enabled": True,
        "standard_flow_enabled": False,
        "implicit_flow_enabled": False,
        "direct_access_grants_enabled": False,
        "full_scope_allowed": False,
        "valid_redirect_uris": [],
        "web_origins": [],
    }
