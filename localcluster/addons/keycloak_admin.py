"""Keycloak's admin API, as far as the local cluster's own clients need it. Called by `keycloak` and by nobody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

from localcluster import edge
from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcluster.plan import Cluster

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def token_url(base: str, realm: str) -> str:
    """Where a realm hands out tokens."""
    return f"{base}/realms/{realm}/protocol/openid-connect/token"


def token(cluster: Cluster, url: str, form: Mapping[str, str]) -> str:
    """An access token. Raises LocalClusterError when Keycloak refuses it; the form is never shown."""
    answer = edge.call(cluster, "POST", url, body=urlencode(form), headers=_FORM)
    if answer.status != 200:
        said = answer.json().get("error_description", "") if answer.body.startswith(b"{") else ""
        raise LocalClusterError(f"Keycloak gives no token at {url}: {answer.status} {said}".rstrip())
    return str(answer.json()["access_token"])


class Admin:
    """The admin API of one realm.

    Args:
        cluster: Where Keycloak runs.
        base: Its URL.
        realm: The realm that is administered.
        access: An administrator's access token, good for a minute.
    """

    def __init__(self, cluster: Cluster, base: str, realm: str, access: str) -> None:
        self._cluster = cluster
        self._realm = f"{base}/admin/realms/{realm}"
        self._headers = {"Authorization": f"Bearer {access}", "Content-Type": "application/json"}

    @classmethod
    def log_in(cls, cluster: Cluster, base: str, realm: str, username: str, password: str) -> Self:
        """As a user of the realm `master`. Raises LocalClusterError when Keycloak refuses."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": username, "password": password}
        return cls(cluster, base, realm, token(cluster, token_url(base, "master"), form))

    def find_client(self, client_id: str) -> dict[str, Any] | None:
        """A client by its clientId."""
        found: list[dict[str, Any]] = self._call("GET", f"clients?clientId={quote(client_id)}")
        return found[0] if found else None

    def client(self, client_id: str) -> dict[str, Any]:
        """A client by its clientId. Raises LocalClusterError when there is none."""
        found = self.find_client(client_id)
        if found is None:
            raise LocalClusterError(f"Keycloak has no client {client_id} in {self._realm}.")
        return found

    def ensure_account(self, client_id: str) -> dict[str, Any]:
        """A confidential client with a service account and no other way to log in, made if it is not there."""
        found = self.find_client(client_id)
        if found is None:
            account = {
                "clientId": client_id,
                "publicClient": False,
                "serviceAccountsEnabled": True,
                "standardFlowEnabled": False,
                "directAccessGrantsEnabled": False,
            }
            self._call("POST", "clients", account)
            found = self.client(client_id)
        return found

    def secret(self, client: Mapping[str, Any]) -> str:
        """The secret of a confidential client."""
        return str(self._call("GET", f"clients/{client['id']}/client-secret")["value"])

    def grant(self, client: Mapping[str, Any], owner: Mapping[str, Any], roles: Sequence[str]) -> None:
        """Give the service account of `client` these roles of the client `owner`.

        Raises:
            LocalClusterError: `owner` lacks one of them.
        """
        there = {role["name"]: role for role in self._call("GET", f"clients/{owner['id']}/roles")}
        absent = set(roles) - there.keys()
        if absent:
            raise LocalClusterError(f"The client {owner['clientId']} lacks the roles {', '.join(sorted(absent))}.")
        user = self._call("GET", f"clients/{client['id']}/service-account-user")
        mapping = f"users/{user['id']}/role-mappings/clients/{owner['id']}"
        self._call("POST", mapping, [there[role] for role in roles])

    def _call(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self._realm}/{path}"
        text = None if body is None else json.dumps(body)
        answer = edge.call(self._cluster, method, url, body=text, headers=self._headers)
        if answer.status >= 300:
            said = answer.body[:200].decode(errors="replace")
            raise LocalClusterError(f"Keycloak answers {answer.status} to {method} {url}: {said}")
        return answer.json() if answer.body else None
