"""Keycloak: says who may write. It comes up with a realm `city`, and in it the client by which the operator makes more.

TLS ends at the ingress, not in Keycloak's pod: the certificate is then renewed without a restart of a process that
takes half a minute to start, and pods reach it at its public name like everybody, by way of the ingress.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from localcluster import edge
from localcluster.addons import cert_manager
from localcluster.addons.base import AddOn, await_answer, await_rollout
from localcluster.addons.keycloak_admin import Admin, token, token_url
from localcluster.install import NAMESPACE as OPERATOR_NAMESPACE
from localcluster.plan import DOMAIN
from localcluster.rendering import digest, manifests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcluster.addons.base import Context
    from localcluster.install import ServiceName
    from localcluster.kubectl import Kubectl
    from localcluster.plan import Cluster

HOST = f"id.{DOMAIN}"
URL = f"https://{HOST}"
REALM = "city"
TOKEN_URL = token_url(URL, REALM)
CREDENTIALS = f"keycloak-{REALM}"
"""Secret in the operator's namespace: client-id, client-secret, ca.crt."""
_OPERATOR_CLIENT = "sensorthings-operator"
# What the operator does: it looks for clients, makes them, and gives them roles of their own.
_OPERATOR_ROLES = ["manage-clients", "query-clients", "view-clients"]
_WRITER_ROLES = ["create", "delete", "read", "update"]
_NAME = "keycloak"
_NAMESPACE = "keycloak"
_ADMIN = "keycloak-admin"
_REMEDY = f"See `kubectl -n {_NAMESPACE} logs deployment/{_NAME}`."


def realm() -> str:
    """The realm as Keycloak imports it at its first start (JSON); the client's secret it takes from its environment."""
    return json.dumps(
        {
            "realm": REALM,
            "enabled": True,
            "sslRequired": "external",
            "clients": [
                {
                    "clientId": _OPERATOR_CLIENT,
                    "secret": "${OPERATOR_CLIENT_SECRET}",
                    "publicClient": False,
                    "serviceAccountsEnabled": True,
                    "standardFlowEnabled": False,
                    "directAccessGrantsEnabled": False,
                }
            ],
            "users": [
                {
                    "username": f"service-account-{_OPERATOR_CLIENT}",
                    "enabled": True,
                    "serviceAccountClientId": _OPERATOR_CLIENT,
                    "clientRoles": {"realm-management": _OPERATOR_ROLES},
                }
            ],
        },
        indent=2,
    )


def _passwords(kubectl: Kubectl) -> dict[str, str]:
    """The administrator's and the operator's credentials, made up once and kept in a Secret."""
    secret = kubectl.find("-n", _NAMESPACE, f"secret/{_ADMIN}")
    if secret is not None:
        return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    return {
        "username": "admin",
        "password": secrets.token_urlsafe(24),
        "operator-client-secret": secrets.token_urlsafe(32),
    }


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    """The `data` of a Secret."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def _apply(context: Context) -> None:
    kubectl = context.kubectl
    passwords = _passwords(kubectl)
    authority = cert_manager.authority(kubectl)
    credentials = {
        "client-id": _OPERATOR_CLIENT,
        "client-secret": passwords["operator-client-secret"],
        "ca.crt": authority,
    }
    objects = manifests(
        "keycloak.yaml",
        image=context.image(_NAME),
        url=URL,
        host=HOST,
        issuer=cert_manager.ISSUER,
        admin=_ADMIN,
        passwords=_encoded(passwords),
        realm=realm(),
        configuration=digest(realm()),
        operator_namespace=OPERATOR_NAMESPACE,
        credentials_name=CREDENTIALS,
        credentials=_encoded(credentials),
    )
    kubectl.apply(objects)


def _settle(context: Context) -> None:
    """Until the operator's client gets a token at the public name."""
    await_rollout(context.kubectl, _NAMESPACE, _NAME, seconds=300)
    cluster = context.cluster
    await_answer(f"Keycloak answers at {URL}", lambda: _issuer(cluster) == f"{URL}/realms/{REALM}", remedy=_REMEDY)
    passwords = _passwords(context.kubectl)
    form = {
        "grant_type": "client_credentials",
        "client_id": _OPERATOR_CLIENT,
        "client_secret": passwords["operator-client-secret"],
    }
    remedy = (
        f"Somebody changed the client, or the Secret {_NAMESPACE}/{_ADMIN}. To begin anew:"
        f" `kubectl delete namespace {_NAMESPACE}`, then `sensorthings up` again."
    )
    await_answer(
        f"Keycloak knows the client {_OPERATOR_CLIENT}",
        lambda: bool(token(cluster, TOKEN_URL, form)),
        seconds=10,
        remedy=remedy,
    )


def _issuer(cluster: Cluster) -> str:
    answer = edge.call(cluster, "GET", f"{URL}/realms/{REALM}/.well-known/openid-configuration")
    return str(answer.json()["issuer"]) if answer.status == 200 else ""


def chart_values() -> dict[str, dict[str, str]]:
    """The chart's `keycloakRealms`: the realm by the name that services give it, and the Secret of its credentials."""
    return {REALM: {"url": URL, "realm": REALM, "secretName": CREDENTIALS}}


def client_of(service: ServiceName) -> str:
    """The clientId that the operator gives a service."""
    return f"sensorthings-{service.namespace}-{service.name}"


def grant_writer(cluster: Cluster, kubectl: Kubectl, service: ServiceName) -> str:
    """Make a client that may write to a service, and write its credentials down (`Cluster.writer`, mode 0600).

    Args:
        cluster: Where the service runs.
        kubectl: As its administrator.
        service: A service that is Ready: before that its own client need not be there.

    Returns:
        The clientId of the writer.

    Raises:
        LocalClusterError: Keycloak does not answer, or has no client of this service.
    """
    passwords = _passwords(kubectl)
    admin = Admin.log_in(cluster, URL, REALM, passwords["username"], passwords["password"])
    writer = admin.ensure_account(f"{service.name}-writer")
    admin.grant(writer, admin.client(client_of(service)), _WRITER_ROLES)
    account = {"client_id": str(writer["clientId"]), "client_secret": admin.secret(writer)}
    _write_private(cluster.writer, json.dumps({"token_url": TOKEN_URL, **account}, indent=2))
    # The same as the body of a request, for curl: on its command line a secret is seen by everybody on the machine.
    _write_private(cluster.writer.with_suffix(".form"), urlencode({"grant_type": "client_credentials", **account}))
    return account["client_id"]


def _write_private(path: Path, text: str) -> None:
    """Write a whole file or nothing, readable by its owner only."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


ADD_ON = AddOn(
    name=_NAME,
    images=(_NAME,),
    needs=("cert-manager", "ingress-nginx"),
    apply=_apply,
    settle=_settle,
)
