"""The two ways to a service: its Services in the cluster, and its public name over ingress-nginx.

Used by the benchmark's client; a bare service is reached as one in the cluster.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from localcluster import edge
from localcluster.addons import keycloak
from localcluster.addons.keycloak_admin import token
from localcluster.errors import LocalClusterError
from sensorthings_operator.cli import tls
from tests.e2e.clients import ROOT_PATH, Answer, Http, Subscriber
from tests.e2e.netns import inside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcluster.install import ServiceName
    from localcluster.kubectl import Kubectl
    from localcluster.plan import Cluster

    Address = Callable[[], str | None]
    """The host, once it is known."""

_MQTT_PORT: Final = 1883
_MQTTS_PORT: Final = 8883
_HTTPS_PORT: Final = 443
_CONNECT_SECONDS: Final = 0.2
"""A first packet that was lost, to a Service that is not programmed yet, is sent again only after 1 s, 3 s, 7 s."""
_GRANTED_SECONDS: Final = 2.0
"""For a broker behind a proxy: that takes a connection also while nothing is behind it."""
_GRANT_PERIOD: Final = 0.25


class Reach(Protocol):
    """A way to a service that may not be there yet."""

    def http(self) -> Http | None:
        """The HTTP side, if something can answer there by now."""

    def subscriber(self) -> Subscriber | None:
        """A subscription to all Observations, if it is granted by now."""


@dataclass(frozen=True)
class Inside:
    """By the addresses in a network namespace.

    Args:
        netns: of the service.
        http_host: of the HTTP side.
        http_port: of the HTTP side.
        mqtt_host: of the MQTT side.
        mqtt_port: of the MQTT side.
    """

    netns: Path
    http_host: Address
    http_port: int
    mqtt_host: Address
    mqtt_port: int = _MQTT_PORT

    def http(self) -> Http | None:
        host = self._listening(self.http_host, self.http_port)
        return Http(host, self.http_port, self.netns) if host else None

    def subscriber(self) -> Subscriber | None:
        host = self._listening(self.mqtt_host, self.mqtt_port)
        if host is None:
            return None
        with suppress(OSError):
            return Subscriber(host, self.mqtt_port, None, netns=self.netns)
        return None

    def _listening(self, address: Address, port: int) -> str | None:
        host = address()
        if host is None:
            return None
        with (
            suppress(OSError),
            inside(self.netns),
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS),
        ):
            return host
        return None


@dataclass(frozen=True, kw_only=True)
class _PublicHttp(Http):
    """The HTTP side at its public name, verified; a token goes with what writes."""

    cluster: Cluster
    token: str

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Content-Type": "application/json"}
        if method != "GET":
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body)
        try:
            url = f"https://{self.host}{ROOT_PATH}/{path}"
            answer = edge.call(self.cluster, method, url, body=data, headers=headers)
        except LocalClusterError as error:
            return Answer(0, str(error))
        return Answer(answer.status, answer.body.decode(), answer.location)


class Edge:
    """By the public name, over ingress-nginx: HTTPS and MQTT over TLS, both verified, as a writer of the realm.

    The writer gets the service's roles as soon as the operator has made them: somebody has to give them to somebody.

    Args:
        cluster: where the service runs, with the platform.
        kubectl: as its administrator.
        service: asks for a token of the local cluster's realm.
        host: the service's ``spec.host``.
    """

    def __init__(self, cluster: Cluster, kubectl: Kubectl, service: ServiceName, host: str) -> None:
        self._cluster = cluster
        self._kubectl = kubectl
        self._service = service
        self._host = host
        self._token = ""
        self._ended = threading.Event()
        threading.Thread(target=self._grant, daemon=True).start()

    def close(self) -> None:
        """Try no longer to let somebody write."""
        self._ended.set()

    def http(self) -> Http | None:
        if not self._token:
            return None
        return _PublicHttp(host=self._host, port=_HTTPS_PORT, cluster=self._cluster, token=self._token)

    def subscriber(self) -> Subscriber | None:
        trust = tls.NamedContext.of(self._host, tls.Authority.read(self._cluster.authority))
        with suppress(OSError, AssertionError):
            return Subscriber(self._cluster.edge, _MQTTS_PORT, None, trust=trust, patience=_GRANTED_SECONDS)
        trust.close()
        return None

    def _grant(self) -> None:
        while not self._ended.is_set():
            with suppress(LocalClusterError):
                keycloak.grant_writer(self._cluster, self._kubectl, self._service)
                credentials = json.loads(self._cluster.writer.read_text())
                url = credentials.pop("token_url")
                self._token = token(self._cluster, url, {"grant_type": "client_credentials", **credentials})
                return
            time.sleep(_GRANT_PERIOD)
