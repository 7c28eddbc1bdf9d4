"""cert-manager: issues the certificates, here from an authority of the cluster's own, the ClusterIssuer `city-ca`.

Its CRDs and roles come out of its Go module, the Deployment is ours: without its webhook, which cannot be built from
the module. What the webhook would refuse is seen on the conditions of the Certificate instead.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import yaml

from localcluster import modules, parts
from localcluster.addons.base import AddOn, await_rollout
from localcluster.commands import run
from localcluster.rendering import manifests

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.addons.base import Context
    from localcluster.kubectl import Kubectl

ISSUER = "city-ca"
_SOLVER = "cert-manager-acmesolver"  # without its image there is no ACME, which `city-ca` does not need
_MODULE = "github.com/cert-manager/cert-manager"
_NAME = "cert-manager"
_NAMESPACE = "cert-manager"
_ACCESS = frozenset({"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})
# Labels of the chart: what belongs to the controller, and to the approver that runs in it.
_COMPONENTS = frozenset({"controller", "cert-manager"})
_HTTP_ROUTES = "httproutes.gateway.networking.k8s.io"
_REMEDY = f"See `kubectl -n {_NAMESPACE} logs deployment/{_NAME}` and `kubectl get certificates,issuers -A`."


def _definitions(module: Path) -> list[dict[str, Any]]:
    """The custom resource definitions."""
    files = sorted((module / "deploy" / "crds").glob("*.yaml"))
    return [yaml.safe_load(file.read_text()) for file in files]


def _access(module: Path) -> list[dict[str, Any]]:
    """The account and the roles of the controller, as cert-manager's chart renders them."""
    helm = parts.ensure(parts.HELM) / "helm"
    chart = module / "deploy" / "charts" / "cert-manager"
    options = [
        f"--namespace={_NAMESPACE}",
        f"--kube-version={modules.version_in(parts.KUBERNETES, 'k8s.io/kubernetes')}",
        "--set=crds.enabled=false,startupapicheck.enabled=false",
    ]
    rendered = run([helm, "template", _NAME, chart, *options])
    return [each for each in yaml.safe_load_all(rendered) if each and is_access(each)]


def is_access(manifest: dict[str, Any]) -> bool:
    """Whether an object of the chart gives the controller a right that it uses: it runs alone and elects no leader."""
    metadata = manifest["metadata"]
    component = metadata.get("labels", {}).get("app.kubernetes.io/component")
    return manifest["kind"] in _ACCESS and component in _COMPONENTS and not metadata["name"].endswith(":leaderelection")


def _apply(context: Context) -> None:
    kubectl = context.kubectl
    module = modules.required_by(parts.CERT_MANAGER, _MODULE)
    definitions = modules.extract(f"{_NAME}-crds", module, _definitions)
    namespace, *workload = manifests(
        "cert-manager.yaml",
        image=context.image(_NAME),
        solver=context.images.get(_SOLVER, ""),
        gateway_api=_has_gateway_api(kubectl),
    )
    kubectl.apply([namespace, *definitions, *modules.extract(f"{_NAME}-access", module, _access), *workload])
    names = [f"customresourcedefinition/{each['metadata']['name']}" for each in definitions]
    kubectl.run("wait", "--for=condition=Established", *names, "--timeout=60s")
    kubectl.apply(manifests("certificate-authority.yaml", issuer=ISSUER))


def _has_gateway_api(kubectl: Kubectl) -> bool:
    """Without it the controller ends at once where it is told to use it."""
    return bool(kubectl.run("get", f"customresourcedefinition/{_HTTP_ROUTES}", "--ignore-not-found", "--output=name"))


def authority(kubectl: Kubectl) -> str:
    """The authority's certificate (PEM), once cert-manager has made it.

    Raises:
        LocalClusterError: It is not there within two minutes.
    """
    here = ("-n", _NAMESPACE)
    kubectl.run("wait", "--for=condition=Ready", *here, f"certificate/{ISSUER}", "--timeout=120s", remedy=_REMEDY)
    secret = kubectl.get(*here, f"secret/{ISSUER}")
    return base64.b64decode(secret["data"]["tls.crt"]).decode()


def _settle(context: Context) -> None:
    """Until the authority can issue; its certificate is written down for the host's clients."""
    kubectl = context.kubectl
    await_rollout(kubectl, _NAMESPACE, _NAME)
    pem = authority(kubectl)
    kubectl.run("wait", "--for=condition=Ready", f"clusterissuer/{ISSUER}", "--timeout=60s", remedy=_REMEDY)
    file = context.cluster.authority
    draft = file.with_suffix(".new")
    draft.write_text(pem)
    draft.replace(file)


ADD_ON = AddOn(name=_NAME, images=(_NAME, _SOLVER), parts=(parts.CERT_MANAGER,), apply=_apply, settle=_settle)
