"""Images that hold one statically linked program of the cluster's parts and nothing else. The catalogue lists them."""

from __future__ import annotations

from pathlib import Path

from localcluster import parts
from localcluster.images import prepare
from localcluster.images.recipe import Recipe

_FOLDER = Path(__file__).parent
_CERT_MANAGER = "github.com/cert-manager/cert-manager"


def _program(  # noqa: PLR0913 - the fields of a recipe, all by keyword
    *,
    name: str,
    part: str,
    command: str,
    containerfile: str,
    module: str,
    source: str,
    title: str,
    description: str,
    licenses: str = "Apache-2.0",
) -> Recipe:
    files = parts.files_of(part)
    version = parts.version_of(module, files[0].read_text())
    return Recipe(
        name=name,
        tag=version.removeprefix("v"),
        containerfile=_FOLDER / containerfile,
        title=title,
        description=description,
        licenses=licenses,
        source=source,
        origin=f"go:{module}@{version}",
        inputs=files,
        prepare=prepare.program(part, command),
    )


def coredns() -> Recipe:
    """The cluster's DNS server."""
    return _program(
        name="coredns",
        part=parts.COREDNS,
        command="coredns",
        containerfile="coredns/Containerfile",
        module="github.com/coredns/coredns",
        source="https://github.com/coredns/coredns",
        title="CoreDNS",
        description="The cluster's DNS server, compiled from its published Go module.",
    )


def metrics_server() -> Recipe:
    """What pods use, for autoscaling."""
    return _program(
        name="metrics-server",
        part=parts.METRICS_SERVER,
        command="metrics-server",
        containerfile="metrics-server/Containerfile",
        module="sigs.k8s.io/metrics-server",
        source="https://github.com/kubernetes-sigs/metrics-server",
        title="metrics-server",
        description="What pods and nodes use, for autoscaling; compiled from its published Go module.",
    )


def cert_manager() -> Recipe:
    """Issues and renews certificates."""
    return _program(
        name="cert-manager",
        part=parts.CERT_MANAGER,
        command="controller",
        containerfile="cert-manager/controller.Containerfile",
        module=_CERT_MANAGER,
        source="https://github.com/cert-manager/cert-manager",
        title="cert-manager's control loops",
        description=(
            "SelfSigned, CA and ACME issuers and their certificates: a program of sensorthings-operator over the"
            " packages of cert-manager's Go module; not upstream's, without its webhook. For development and tests."
        ),
    )


def envoy_gateway() -> Recipe:
    """Turns Gateways and routes into Envoys."""
    return _program(
        name="envoy-gateway",
        part=parts.ENVOY_GATEWAY,
        command="envoy-gateway",
        containerfile="envoy-gateway/Containerfile",
        module="github.com/envoyproxy/gateway",
        source="https://github.com/envoyproxy/gateway",
        title="Envoy Gateway",
        description="The Gateway API by Envoy; compiled from its published Go module.",
    )


def pebble() -> Recipe:
    """An ACME server for tests."""
    return _program(
        name="pebble",
        part=parts.PEBBLE,
        command="pebble",
        containerfile="pebble/Containerfile",
        module="github.com/letsencrypt/pebble/v2",
        source="https://github.com/letsencrypt/pebble",
        title="Pebble",
        description="Let's Encrypt's small ACME server for tests; compiled from its published Go module.",
        licenses="MPL-2.0",
    )


def cert_manager_acmesolver() -> Recipe:
    """Answers ACME HTTP-01 challenges for cert-manager."""
    return _program(
        name="cert-manager-acmesolver",
        part=parts.CERT_MANAGER,
        command="acmesolver",
        containerfile="cert-manager/acmesolver.Containerfile",
        module=_CERT_MANAGER,
        source="https://github.com/cert-manager/cert-manager",
        title="cert-manager's acmesolver",
        description=(
            "Answers one ACME HTTP-01 challenge: a program of sensorthings-operator over the packages of"
            " cert-manager's Go module; not upstream's. For development and tests."
        ),
    )
