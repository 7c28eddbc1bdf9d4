"""Envoy Gateway: the way in by the Gateway API, beside ingress-nginx. One Gateway, `city`, which every service may use.

Its chart and all custom resource definitions come out of the published Go modules. Nothing of it is changed but what a
small machine needs, and the images' names.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from localcluster import modules, parts, reach
from localcluster.addons.base import AddOn, await_rollout
from localcluster.commands import run
from localcluster.plan import GATEWAY_ADDRESS
from localcluster.rendering import manifests

if TYPE_CHECKING:
    from localcluster.addons.base import Context

NAMESPACE = "envoy-gateway-system"
GATEWAY = "city"
GATEWAY_NAMESPACE = "gateways"
_NAME = "envoy-gateway"
_MODULE = "github.com/envoyproxy/gateway"
_API_MODULE = "sigs.k8s.io/gateway-api"
_PLACEHOLDER = "registry.example/envoy-gateway:none"
_REMEDY = (
    f"See `kubectl -n {NAMESPACE} logs deployment/{_NAME}` and `kubectl -n {GATEWAY_NAMESPACE} get gateways -o yaml`."
)
_OPTIONS = (
    "crds.enabled=false",
    # It changes pods everywhere, for zones that one node has not.
    "topologyInjector.enabled=false",
    # A Job that is deleted when it has ended is made anew by each apply.
    "certgen.job.ttlSecondsAfterFinished=null",
    "deployment.envoyGateway.resources.requests.cpu=20m",
    "deployment.envoyGateway.resources.requests.memory=128Mi",
    # Else Envoy's listeners are named after the oldest service, and all connections end when that one goes.
    "config.envoyGateway.runtimeFlags.enabled={XDSNameSchemeV2}",
    f"global.images.envoyGateway.image={_PLACEHOLDER}",
    "global.images.ratelimit.image=registry.example/none:none",
)


def api_definitions(module: Path) -> list[dict[str, Any]]:
    """The Gateway API's own custom resource definitions: its standard channel, which every implementation has."""
    files = sorted((module / "config" / "crd" / "standard").glob("gateway.networking.k8s.io_*.yaml"))
    found = [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]
    return [each for each in found if _is_definition(each)]


def _definitions(module: Path) -> list[dict[str, Any]]:
    files = sorted((module / "charts" / "gateway-helm" / "charts" / "crds" / "crds" / "generated").glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]


def _chart(module: Path) -> list[dict[str, Any]]:
    """The chart as its release would be: in the module its version and the image are still to be filled in."""
    version = modules.version_in(parts.ENVOY_GATEWAY, _MODULE)
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder) / "chart"
        shutil.copytree(module / "charts" / "gateway-helm", chart)
        for path in (chart, *chart.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        values = (chart / "values.tmpl.yaml").read_text()
        values = values.replace("${GatewayImage}", _PLACEHOLDER).replace("${GatewayImagePullPolicy}", "IfNotPresent")
        (chart / "values.yaml").write_text(values)
        described = yaml.safe_load((chart / "Chart.yaml").read_text())
        (chart / "Chart.yaml").write_text(yaml.safe_dump({**described, "version": version, "appVersion": version}))
        helm = parts.ensure(parts.HELM) / "helm"
        kubernetes = modules.version_in(parts.KUBERNETES, "k8s.io/kubernetes")
        options = [f"--namespace={NAMESPACE}", f"--kube-version={kubernetes}", *(f"--set={each}" for each in _OPTIONS)]
        rendered = run([helm, "template", "eg", chart, *options])
    return [each for each in yaml.safe_load_all(rendered) if each]


def _with_image(value: Any, image: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_image(member, image) for key, member in value.items()}
    if isinstance(value, list):
        return [_with_image(member, image) for member in value]
    return value.replace(_PLACEHOLDER, image) if isinstance(value, str) else value


def _apply(context: Context) -> None:
    kubectl = context.kubectl
    module = modules.required_by(parts.ENVOY_GATEWAY, _MODULE)
    api = modules.extract("gateway-api-crds", modules.required_by(parts.ENVOY_GATEWAY, _API_MODULE), api_definitions)
    definitions = [*api, *modules.extract(f"{_NAME}-crds", module, _definitions)]
    kubectl.apply(definitions)
    names = [f"customresourcedefinition/{each['metadata']['name']}" for each in definitions if _is_definition(each)]
    kubectl.run("wait", "--for=condition=Established", *names, "--timeout=60s")
    namespace, *gateway = manifests("envoy-gateway.yaml", image=context.image("envoy"), address=GATEWAY_ADDRESS)
    chart = modules.extract(f"{_NAME}-chart", module, _chart)
    kubectl.apply([namespace, *_with_image(chart, context.image(_NAME)), *gateway])
    reach.open_gateway(context.cluster)


def _is_definition(manifest: dict[str, Any]) -> bool:
    return bool(manifest["kind"] == "CustomResourceDefinition")


def _settle(context: Context) -> None:
    """Until the Gateway takes connections."""
    await_rollout(context.kubectl, NAMESPACE, _NAME)
    context.kubectl.run(
        *("wait", "-n", GATEWAY_NAMESPACE, "--for=condition=Programmed", f"gateway/{GATEWAY}", "--timeout=120s"),
        remedy=_REMEDY,
    )


ADD_ON = AddOn(name=_NAME, images=(_NAME,), parts=(parts.ENVOY_GATEWAY,), apply=_apply, settle=_settle)
