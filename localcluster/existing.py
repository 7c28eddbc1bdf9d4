"""Installs the operator and the example into a cluster that is there already, whoever made it.

It adds the custom resource definitions, the operator's release, the example and the namespaces of these, and touches
nothing else. The example is exposed when the cluster has what that takes; otherwise it is reached inside only, since a
service that asks nobody for a token must not be seen by the world.
"""

from __future__ import annotations

import shutil
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from localcluster import endpoints, install, parts, plan
from localcluster.addons import ingress_nginx
from localcluster.endpoints import Endpoints
from localcluster.errors import LocalClusterError
from localcluster.kubectl import Kubectl
from localcluster.steps import Progress, Step, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcluster.installation import Installation
    from localcluster.steps import Detail

    Remark = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A cluster that a person has.

    Args:
        context: Of the kubeconfig; its current one where it is empty.
        kubeconfig: None: where kubectl looks.
        values: A file with values of the operator's chart, such as images that the cluster can pull.
    """

    context: str = ""
    kubeconfig: Path | None = None
    values: Path | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a cluster has that a service may need.

    Args:
        classes: Names of IngressClasses.
        issuers: Names of cert-manager's ClusterIssuers.
        realms: Names of the Keycloak realms that the operator's settings know.
    """

    classes: frozenset[str]
    issuers: frozenset[str]
    realms: frozenset[str]


def lacking(spec: Mapping[str, Any], offer: Offer) -> list[str]:
    """What the spec of a SensorThingsService needs to be exposed and the cluster has not got, one line each."""
    reasons = []
    exposure = spec["exposure"]
    if exposure["type"] == "IngressNginx":
        wanted = exposure.get("ingressNginx", {}).get("className", ingress_nginx.CLASS)
        if wanted not in offer.classes:
            reasons.append(f"the cluster has no IngressClass {wanted}")
    issuer = spec.get("certificate", {}).get("issuerRef", {})
    if issuer.get("kind", "ClusterIssuer") == "ClusterIssuer" and issuer and issuer["name"] not in offer.issuers:
        reasons.append(f"it has no ClusterIssuer {issuer['name']} of cert-manager")
    realm = spec["auth"].get("keycloak", {}).get("realm")
    if realm is not None and realm not in offer.realms:
        reasons.append(f"the operator's settings know no Keycloak realm {realm} (keycloakRealms in --values)")
    return reasons


def inside_only(document: Mapping[str, Any]) -> dict[str, Any]:
    """A SensorThingsService that is reached inside its cluster only, and asks nobody for a token."""
    reduced = deepcopy(dict(document))
    spec = reduced["spec"]
    for name in ("host", "certificate"):
        spec.pop(name, None)
    spec["exposure"] = {"type": "None"}
    spec["auth"] = {"type": "None", "none": {"allowAnonymousWrite": True}}
    return reduced


def fitted(documents: list[dict[str, Any]], offer: Offer, remark: Remark) -> list[dict[str, Any]]:
    """The objects of a manifest as a cluster can take them; what is left out is remarked."""
    found = []
    for document in documents:
        reasons = lacking(document["spec"], offer) if document["kind"] == "SensorThingsService" else []
        if reasons:
            name = document["metadata"]["name"]
            remark(f"{name} is reached inside the cluster only, and by anybody there: {'; '.join(reasons)}.")
        found.append(inside_only(document) if reasons else document)
    return found


def command(name: str, part: str) -> Path:
    """A command of the machine, or the built one where the machine has none."""
    present = shutil.which(name)
    return Path(present) if present else parts.ensure(part) / name


def _names(kubectl: Kubectl, resource: str) -> frozenset[str]:
    """Names of all objects of a kind; none where the cluster does not know the kind."""
    group = resource.partition(".")[2]
    if resource not in kubectl.run("api-resources", f"--api-group={group}", "--output=name").split():
        return frozenset()
    return frozenset(each["metadata"]["name"] for each in kubectl.get(resource)["items"])


def _offer(kubectl: Kubectl, realms: frozenset[str]) -> Offer:
    classes = _names(kubectl, "ingressclasses.networking.k8s.io")
    return Offer(classes, _names(kubectl, "clusterissuers.cert-manager.io"), realms)


def steps(
    kubectl: Kubectl, installation: Installation, values: Mapping[str, Any], file: Path | None, remark: Remark
) -> list[Step]:
    """The steps that install operator and example.

    Args:
        kubectl: Says into which cluster.
        installation: What to install; its add-ons are left out.
        values: Of the operator's chart.
        file: More values, which win.
        remark: Told what a person should know.
    """
    documents = install.documents_of(installation.example) if installation.example else []
    services = install.services_in(documents)

    def install_operator(_: Detail) -> None:
        has_ingress_nginx = kubectl.find(f"namespace/{ingress_nginx.NAMESPACE}") is not None
        whole = {"ingressNginx": {"enabled": has_ingress_nginx}, **values}
        install.install_crds(kubectl, installation.crds)
        install.install_operator(kubectl, command("helm", parts.HELM), installation.chart, whole, file)

    def apply_example(_: Detail) -> None:
        install.apply_services(kubectl, fitted(documents, _offer(kubectl, realms_in(values, file)), remark))

    def await_example(detail: Detail) -> None:
        for service in services:
            detail(f"{service.namespace}/{service.name}")
            install.await_ready(kubectl, service)

    return [
        Step("Install the operator", install_operator),
        Step("Apply the example", apply_example),
        Step("Wait for the example", await_example),
    ]


def realms_in(values: Mapping[str, Any], file: Path | None) -> frozenset[str]:
    """Names of the Keycloak realms in the chart's values.

    Raises:
        LocalClusterError: The file is not there, or holds no values.
    """
    found = set(values.get("keycloakRealms", {}))
    if file is not None:
        try:
            given = yaml.safe_load(file.read_text()) or {}
            found |= set(given.get("keycloakRealms", {}))
        except (OSError, yaml.YAMLError, AttributeError, TypeError) as error:
            raise LocalClusterError(f"{file} holds no values of a chart: {error}.", "Write it as for helm.") from None
    return frozenset(found)


def describe(kubectl: Kubectl, installation: Installation) -> Endpoints:
    """Where the example is reached, by the addresses in its status: the cluster's own names must lead there."""
    found = Endpoints(kubeconfig=str(kubectl.kubeconfig or ""), kubectl=str(kubectl.binary))
    documents = install.documents_of(installation.example) if installation.example else []
    for service in install.services_in(documents)[:1]:
        urls = endpoints.of_service(install.read(kubectl, service))
        return Endpoints(kubeconfig=found.kubeconfig, kubectl=found.kubectl, **urls)
    return found


def up(target: Target, progress: Progress, installation: Installation, remark: Remark) -> Endpoints:
    """Install the operator and the example into a cluster that a person has.

    Args:
        target: The cluster.
        progress: Told how it goes.
        installation: What to install; its add-ons are left out.
        remark: Told what a person should know.

    Raises:
        LocalClusterError: The cluster is not reached, or something is not installed.
    """
    kubectl = Kubectl(command("kubectl", parts.KUBERNETES), target.kubeconfig, context=target.context)
    realms_in({}, target.values)  # a file that is none, before any work

    def reach_it(_: Detail) -> None:
        kubectl.run("version", remedy="See `kubectl config get-contexts`.", timeout=30)

    remark("Images come from their registries: the cluster's nodes must be able to pull them (see --values).")
    todo = [Step("Reach the cluster", reach_it), *steps(kubectl, installation, {}, target.values, remark)]
    run(todo, progress, plan.cache_folder() / "up-existing-durations.json")
    return describe(kubectl, installation)
