"""A town's site: a node of this machine for its cluster, a database host beside it, and what the internet has.

The stacks' programs install everything else. Where an image or a webhook can't be had here, the charts are told so
(`_values`); an ACME server in the cluster stands for Let's Encrypt.
"""

from __future__ import annotations

import base64
import copy
import json
import time
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from localcluster import addons, edge, install, nodesteps, parts, plan, reach
from localcluster import cluster as local
from localcluster.addons import base, cert_manager, pebble
from localcluster.display import Display
from localcluster.images import pinned
from localcluster.rendering import manifests
from localcluster.steps import run as run_steps
from tests.e2e.kubernetes import Kubernetes
from tests.e2e.services import Service
from tests.stacks import programs
from tests.stacks.node.roots import roots
from tests.stacks.standin import charts
from tests.stacks.standin.cluster import RealCluster
from tests.stacks.standin.engine import City

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from localcluster.edge import Answer
    from localcluster.plan import Cluster
    from tests.stacks.node.postgresql import HostDatabase

NAME: Final = "town"
HOST: Final = f"levels.{plan.DOMAIN}"
DATABASE_HOST: Final = "db.outside.svc.cluster.local"
_USER: Final = ("gauge", "a-password-of-a-gauge")
_SMALL: Final = {"resources": {"requests": {"cpu": "20m"}}}


class Site:
    """The cluster while it is up."""

    def __init__(self, cluster: Cluster, archives: Mapping[str, Path], folder: Path, database: HostDatabase) -> None:
        self.cluster, self.kubectl = cluster, nodesteps.kubectl(cluster)
        self._images = install.by_short_name(archives)
        helm = parts.ensure(parts.HELM) / "helm"
        clouds = RealCluster(self.kubectl, helm, charts.write(folder), _values(self._images), wait=True)
        self.city = City("smalltown", layers=("platform", "city"), clouds=clouds)
        self.clouds = clouds
        self._database = database
        target = {"context": f"sta-{NAME}", "kubeconfig": str(cluster.kubeconfig)}
        operator = install.chart_values(archives, pinned.FROST)
        image = {name: operator["image"][name] for name in ("repository", "tag")}
        self.city.changes["platform"] = {
            "sensorthings-platform:cluster": target,
            "sensorthings-platform:ingress": {"replicas": 1, "serviceType": "NodePort"},
            "sensorthings-platform:operator": {"image": image, "settings": operator["settings"]},
        }
        self.city.changes["city"] = {"sensorthings-city:cluster": target, **self._tenants()}

    def up(self) -> dict[str, float]:
        """Bring the city up until its service is Ready; seconds that each part of it took."""
        marks, began = {}, time.monotonic()

        def mark(what: str) -> None:
            nonlocal began
            marks[what], began = time.monotonic() - began, time.monotonic()

        self._layer("platform")
        mark("platform")
        self._internet()
        mark("ACME server")
        self.city.changes["city"]["sensorthings-city:acmeAuthority"] = cert_manager.authority(self.kubectl)
        self._layer("city")
        mark("city")
        password = base64.b64encode(_USER[1].encode()).decode()
        gauge = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _USER[0], "namespace": "town"}}
        self.kubectl.apply([{**gauge, "data": {"password": password}}])
        self.service.await_ready(300)
        mark("service Ready")
        reach.open_edge(self.cluster)
        self.cluster.authority.write_text(roots(self.kubectl, self.cluster.netns_path, self.cluster.authority))
        return marks

    @property
    def service(self) -> Service:
        """The town's service."""
        client = Kubernetes.connect(self.kubectl.binary, self.cluster.kubeconfig, self.cluster.netns_path)
        return Service(client, "town", "levels")

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """A request by the service's public name, as the user of the gauge."""
        credentials = base64.b64encode(":".join(_USER).encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        url = path if path.startswith("https:") else f"https://{HOST}/FROST-Server/v1.1/{path}"
        text = None if body is None else json.dumps(body)
        return edge.call(self.cluster, method, url, body=text, headers=headers)

    def _layer(self, layer: str) -> None:
        outcome = self.city.run("up", layer)
        assert outcome.problems == [], outcome.problems

    def _internet(self) -> None:
        """An ACME server, trusted by an authority of its own; and the name of the database host."""
        self.kubectl.apply(manifests("certificate-authority.yaml", issuer=cert_manager.ISSUER))
        cert_manager.authority(self.kubectl)
        objects = manifests(
            "pebble.yaml",
            image=self._images["pebble"],
            authority=cert_manager.ISSUER,
            dns_address=plan.DNS_ADDRESS,
            issuer="unused",
            gateway_domain=plan.GATEWAY_DOMAIN,
            ca_bundle="",
        )
        # The issuer is the city layer's own.
        self.kubectl.apply(each for each in objects if each["kind"] != "ClusterIssuer")
        base.await_rollout(self.kubectl, pebble.NAMESPACE, "pebble")
        self.kubectl.apply(_named(str(self.cluster.node_address)))
        self.cluster.authority.write_text(cert_manager.authority(self.kubectl))

    def _tenants(self) -> dict[str, Any]:
        configured = programs.configuration("city", "smalltown")
        tenants = copy.deepcopy(configured["sensorthings-city:tenants"])
        tenants[0]["services"][0]["spec"].update(host=HOST, version=pinned.FROST, http=_SMALL, mqtt=_SMALL)
        database = {
            **configured["sensorthings-city:database"],
            "hosts": [DATABASE_HOST],
            "certificateAuthority": self._database.authority.certificate,
        }
        return {
            "sensorthings-city:tenants": tenants,
            "sensorthings-city:database": database,
            "sensorthings-city:acmeServer": f"https://pebble.{pebble.NAMESPACE}.svc:14000/dir",
        }


def node_up() -> tuple[Cluster, dict[str, Path]]:
    """A node that is Ready, with images and nothing else in it; and their archives."""
    archives: dict[str, Path] = {}
    with plan.locked(NAME) as cluster, Display(Console(stderr=True)) as display:
        steps = nodesteps.steps(cluster, addons.choose(pebble.ADD_ON.name), archives)
        run_steps(steps, display, plan.cache_folder() / "up-durations.json")
    return cluster, archives


def node_down() -> None:
    """Nothing of it is left."""
    with Display(Console(stderr=True)) as display:
        local.down(NAME, display)


def _named(address: str) -> Iterator[dict[str, Any]]:
    """What leads from a name to the database host: a Service without pods."""
    metadata = {"name": "db", "namespace": "outside"}
    ports = [{"name": "postgresql", "port": 5432}]
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "outside"}}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": "None", "ports": ports}}
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }


def _values(images: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What the charts are told beside the programs' values: the images of this machine, and what they need."""

    def image(name: str) -> dict[str, str]:
        repository, _, tag = images[name].rpartition(":")
        return {"repository": repository, "tag": tag}

    controller = {
        "image": {**image("ingress-nginx"), "digest": ""},
        "admissionWebhooks": {"enabled": False},
        "enableMimalloc": False,
        # Ports 80 and 443 without a capability, which the image's nginx has not got.
        "sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "config": {"worker-processes": "2", "max-worker-connections": "2048", "max-worker-open-files": "4096"},
        "service": {"clusterIP": str(plan.INGRESS_ADDRESS)},
    }
    restricted = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "ingress-nginx": {"controller": controller},
        "cert-manager": {
            **charts.WITHOUT_WEBHOOKS["cert-manager"],
            "image": image("cert-manager"),
            "acmesolver": {"image": image("cert-manager-acmesolver")},
            "securityContext": restricted,
            "maxConcurrentChallenges": 0,
        },
    }
