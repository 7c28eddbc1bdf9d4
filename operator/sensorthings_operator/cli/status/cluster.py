"""The cluster of a person, by the ``kubernetes`` client: read by ``sensorthings status`` and others.

Little is ever written: annotations by ``sensorthings token``, Jobs and a service's restore by ``sensorthings backup``.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.sensorthingsservice import KIND, PLURAL
from sensorthings_operator.cli.status.snapshot import CHILDREN, Kind, Missing, Snapshot
from sensorthings_operator.desired.metadata import SERVICE_LABEL

if TYPE_CHECKING:
    from pathlib import Path

    from kubernetes.client import ApiClient

    from sensorthings_operator.cli.status.snapshot import Object

_SERVICES: Final = Kind(KIND, API_VERSION, PLURAL, labelled=False)
_PAGE: Final = 500
_TIMEOUT: Final = (5, 15)
"""Seconds to connect, and to read."""
_WHY: Final[dict[int, Literal["absent", "forbidden"]]] = {404: "absent", 403: "forbidden"}


class ClusterError(Exception):
    """The cluster can't be read; says what was wrong, where, and what to do."""


class NotInstalledError(ClusterError):
    """The cluster does not know SensorThingsServices."""


class AnswerError(Exception):
    """The API server answered otherwise than was hoped."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Cluster:
    """One context of a kubeconfig."""

    client: ApiClient
    namespace: str
    """The context's own."""

    @classmethod
    def connect(cls, kubeconfig: Path | None, context: str | None) -> Self:
        """The cluster of a kubeconfig's context; the defaults are those of kubectl.

        Raises:
            ClusterError: There is no usable kubeconfig, or no such context.
        """
        # Takes half a second, which no other command shall wait for.
        from kubernetes import client, config  # noqa: PLC0415

        file = str(kubeconfig) if kubeconfig else None
        settings = client.Configuration()
        settings.retries = False
        try:
            made = config.new_client_from_config(file, context, client_configuration=settings)  # type: ignore[no-untyped-call]
        except (config.ConfigException, OSError, ValueError) as error:
            message = (
                f"No cluster: {' '.join(str(error).split())}\n  at {kubeconfig or '$KUBECONFIG or ~/.kube/config'}\n"
                "  Name a kubeconfig with --kubeconfig or KUBECONFIG; `sensorthings up` prints its own."
            )
            raise ClusterError(message) from error
        return cls(made, _own_namespace(file, context))

    def read(self, namespace: str | None, name: str | None) -> Snapshot:
        """Services with all that belongs to them: of one namespace or all, and of one name or any.

        Raises:
            NotInstalledError: The custom resource is not there.
            ClusterError: The API server does not answer, or does not let this user list services.
        """
        taken = datetime.now(UTC)
        services, scope, notes = self.services(namespace, name)
        found = {service["metadata"]["namespace"] for service in services}
        if not found:
            return Snapshot(taken, (), notes=notes)
        place = next(iter(found)) if len(found) == 1 else scope
        selector = f"{SERVICE_LABEL}={name}" if name else SERVICE_LABEL
        with ThreadPoolExecutor(len(CHILDREN)) as pool:
            listed = list(pool.map(lambda kind: self._children(kind, place, selector), CHILDREN))
        answers = dict(zip((kind.name for kind in CHILDREN), listed, strict=True))
        return Snapshot(
            taken,
            tuple(services),
            {kind: answer for kind, answer in answers.items() if not isinstance(answer, Missing)},
            {kind: answer for kind, answer in answers.items() if isinstance(answer, Missing)},
            notes,
        )

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object; None where it is not there.

        Raises:
            ClusterError: The API server does not answer, or does not let this user read it.
        """
        path = f"{kind.prefix}/namespaces/{namespace}/{kind.plural}/{name}"
        try:
            return {**self._get(path, {}), "kind": kind.name}
        except AnswerError as error:
            if error.status == 404:
                return None
            raise ClusterError(
                f"{kind.name} {name} can't be read: {error}\n  at {self.client.configuration.host}\n"
                f"  Ask for the right to read {kind.plural} in namespace {namespace}."
            ) from error

    def services(self, namespace: str | None, name: str | None) -> tuple[list[Object], str | None, tuple[str, ...]]:
        """The services, the namespace they were looked for in, and what there is to say about that.

        Raises:
            NotInstalledError: The custom resource is not there.
            ClusterError: The API server does not answer, or does not let this user list services.
        """
        selector = f"metadata.name={name}" if name else ""
        try:
            return self._list(_SERVICES, namespace, fields=selector), namespace, ()
        except AnswerError as error:
            if error.status != 403 or namespace is not None:
                raise self._refused(error) from error
        try:
            found = self._list(_SERVICES, self.namespace, fields=selector)
        except AnswerError as error:
            raise self._refused(error) from error
        note = f"Only namespace {self.namespace} is shown: you may not list services of all; name one with -n"
        return found, self.namespace, (note,)

    def _children(self, kind: Kind, namespace: str | None, selector: str) -> tuple[Object, ...] | Missing:
        try:
            return tuple(
                self._list(kind, namespace, labels=selector if kind.labelled else "", fields=kind.field_selector)
            )
        except AnswerError as error:
            if error.status == 404:
                return Missing("absent", f"the cluster does not serve {kind.api_version} {kind.plural}")
            return Missing(_WHY.get(error.status, "failed"), str(error))

    def _list(self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = "") -> list[Object]:
        place = f"/namespaces/{namespace}" if namespace else ""
        query = {"limit": str(_PAGE), "labelSelector": labels, "fieldSelector": fields}
        objects: list[Object] = []
        while True:
            page = self._get(f"{kind.prefix}{place}/{kind.plural}", query)
            # The objects of a list do not say their kind.
            objects += [{**each, "kind": kind.name} for each in page["items"]]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return objects
            query["continue"] = token

    def get(self, path: str) -> dict[str, Any]:
        """An object, by its path.

        Raises:
            AnswerError: The API server answers something else.
            ClusterError: It does not answer.
        """
        return self._get(path, {})

    def text(self, path: str) -> str:
        """What is answered at a path that is no object: through the API server's proxy, for one.

        Raises:
            AnswerError: The API server, or what it leads to, answers something else than 200.
            ClusterError: It does not answer.
        """
        return self._body(self.client.param_serialize("GET", path, auth_settings=["BearerToken"])).decode()

    def labelled(self, kind: Kind, namespace: str, labels: str) -> list[Object]:
        """The objects of a kind in a namespace that have these labels.

        Raises:
            AnswerError: The API server answers something else.
            ClusterError: It does not answer.
        """
        return self._list(kind, namespace, labels=labels)

    def annotate(self, path: str, annotations: dict[str, str | None]) -> dict[str, Any]:
        """Set annotations of an object, and take away those that are None; the object as it is then.

        Raises:
            AnswerError: The API server answers something else.
            ClusterError: It does not answer.
        """
        return self.merge(path, {"metadata": {"annotations": annotations}})

    def merge(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Apply a JSON merge patch to an object; the object as it is then.

        Raises:
            AnswerError: The API server answers something else.
            ClusterError: It does not answer.
        """
        return self._call(self._write("PATCH", path, patch, "application/merge-patch+json"))

    def create(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object in a collection; the object as it is then.

        Raises:
            AnswerError: The API server answers something else.
            ClusterError: It does not answer.
        """
        return self._call(self._write("POST", path, manifest, "application/json"))

    def _write(self, method: str, path: str, body: dict[str, Any], content_type: str) -> tuple[Any, ...]:
        written: tuple[Any, ...] = self.client.param_serialize(
            method, path, header_params={"Content-Type": content_type}, body=body, auth_settings=["BearerToken"]
        )
        return written

    def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        parameters = [(name, value) for name, value in query.items() if value]
        return self._call(
            self.client.param_serialize("GET", path, query_params=parameters, auth_settings=["BearerToken"])
        )

    def _call(self, request: tuple[Any, ...]) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._body(request))
        return content

    def _body(self, request: tuple[Any, ...]) -> bytes:
        import urllib3  # noqa: PLC0415 - comes with kubernetes

        try:
            answer = self.client.call_api(*request, _request_timeout=_TIMEOUT)  # type: ignore[misc]
            body: bytes = answer.read()  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(
                f"The API server does not answer: {_reason(error)}\n  at {self.client.configuration.host}\n"
                "  Look whether the cluster runs, and whether this is its kubeconfig."
            ) from error
        if answer.status not in (200, 201):
            raise AnswerError(answer.status, _message(answer.status, body))
        return body

    def _refused(self, error: AnswerError) -> ClusterError:
        host = self.client.configuration.host
        if error.status == 404:
            return NotInstalledError(
                f"The cluster knows no SensorThingsServices ({API_VERSION})\n  at {host}\n"
                "  Install the custom resources and the operator, or choose another cluster with --context."
            )
        remedy = {
            401: "The kubeconfig's user is not accepted: log in again, or choose another context with --context.",
            403: "Ask for the role `view` in the namespace, which includes reading services, or name another with -n.",
        }.get(error.status, "Look at the API server.")
        return ClusterError(f"The services can't be listed: {error}\n  at {host}\n  {remedy}")


def _own_namespace(kubeconfig: str | None, context: str | None) -> str:
    """The namespace that a context names."""
    from kubernetes import config  # noqa: PLC0415

    try:
        contexts, current = config.list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        # A file without a current context; another one was named.
        return "default"
    chosen = next((each for each in contexts if each["name"] == context), current)
    return chosen.get("context", {}).get("namespace") or "default"


def _message(status: int, body: bytes) -> str:
    """What the API server said: the message of a Status."""
    with suppress(ValueError, AttributeError):
        said = json.loads(body).get("message")
        if said:
            return f"{status}, {said}"
    return f"{status}"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
