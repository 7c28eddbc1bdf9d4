"""Runs one Pulumi program under Pulumi's mocks and writes down what it asked for, as JSON on standard output.

A process of its own for each program (`programs.run` starts it): Pulumi keeps its stack and its settings in globals.
What Pulumi's engine would do is not done here: no difference is computed, nothing is replaced or refused.
"""

from __future__ import annotations

import base64
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack
from pulumi.runtime.sync_await import _sync_await

TENANT = "00000000-0000-4000-8000-00000000000a"
KUBECONFIG = "apiVersion: v1\nkind: Config\n"
EGRESS = "198.51.100.7"
DRAWN = "drawn by Keycloak for"
"""Begins every client's secret that this cloud makes; no other text does."""
KEY_MARK = "-----BEGIN PRIVATE KEY-----"
"""Begins every private key that this cloud makes; no other text does."""


class Cloud(mocks.Mocks):
    """Answers as Azure, Kubernetes and the other layers' stacks would, with what was asked for and what they add."""

    def __init__(self, references: dict[str, dict[str, Any]]) -> None:
        self._references = references

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        return invoked(args.token), []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {"name": args.name, **self._references[args.name]}
        outputs: dict[str, Any] = {"name": args.name, **args.inputs, **computed(args.typ, args.name, args.inputs)}
        return f"/id/{args.typ.split(':')[-1]}/{args.name}", outputs


def invoked(token: str) -> dict[str, Any]:
    """What a function of a provider answers."""
    answers: dict[str, dict[str, Any]] = {
        "azure-native:authorization:getClientConfig": {"tenantId": TENANT},
        "azure-native:containerservice:listManagedClusterUserCredentials": {
            "kubeconfigs": [{"name": "user", "value": base64.b64encode(KUBECONFIG.encode()).decode()}]
        },
        "keycloak:openid/getClient:getClient": {"id": "id-of-realm-management"},
        "keycloak:index/getRole:getRole": {"id": "id-of-manage-clients"},
    }
    return answers[token]


def computed(type_: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What the cloud adds, and where its answer has another form than the question."""
    answer: dict[str, Any] = {**_signed(type_, name), **_drawn(type_, name)}
    match type_:
        case "azure-native:privatedns:PrivateZone":
            answer = {"name": inputs["privateZoneName"]}
        case "azure-native:network:PublicIPAddress":
            answer = {"ipAddress": EGRESS}
        case "azure-native:managedidentity:UserAssignedIdentity":
            answer = {"principalId": f"principal-{name}", "clientId": f"client-{name}"}
        case "azure-native:keyvault:Vault":
            answer = {"properties": {**inputs["properties"], "vaultUri": "https://city.vault.azure.net/"}}
        case "azure-native:containerservice:ManagedCluster" | "azure-native:compute:VirtualMachine":
            # A list in the question, a map in the answer.
            if "identity" in inputs:
                answer = {"identity": {**inputs["identity"], "userAssignedIdentities": {}}}
            if type_.endswith(":ManagedCluster"):
                answer["identityProfile"] = {"kubeletidentity": {"objectId": f"nodes-{name}"}}
    return answer


def _signed(type_: str, name: str) -> dict[str, Any]:
    """Stand-ins for keys and certificates, which tell whose they are."""
    known = {
        "PrivateKey": {"privateKeyPemPkcs8": f"{KEY_MARK} {name}"},
        "SelfSignedCert": {"certPem": f"certificate of {name}"},
        "LocallySignedCert": {"certPem": f"certificate of {name}"},
        "CertRequest": {"certRequestPem": f"request of {name}"},
    }
    return known.get(type_.rpartition(":")[2], {}) if type_.startswith("tls:") else {}


def _drawn(type_: str, name: str) -> dict[str, Any]:
    """What Keycloak adds to a client."""
    if type_ != "keycloak:openid/client:Client":
        return {}
    return {"clientSecret": f"{DRAWN} {name}", "serviceAccountUserId": f"account-{name}"}


def _plain(value: Any) -> Any:
    """Whole numbers again: the wire knows floating point only."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Recorder(mocks.MockMonitor):
    """Keeps each registration as it went over the wire, which the mocks themselves do not see."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.resources_asked_for: list[dict[str, Any]] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            record = _plain(MessageToDict(request))
            self.resources_asked_for.append(
                {
                    "urn": answer.urn,
                    "type": request.type,
                    "name": request.name,
                    "inputs": record.get("object", {}),
                    "tags": self._tags(request),
                    "parent": request.parent,
                    "dependencies": list(request.dependencies),
                    "protect": request.protect,
                    "retain_on_delete": request.retainOnDelete,
                    "ignore_changes": list(request.ignoreChanges),
                    "provider": request.provider,
                }
            )
        return answer

    def _tags(self, request: Any) -> Any:
        """Tags after the program's transforms: Pulumi's mocks keep transforms but never run them."""
        properties = rpc.deserialize_properties(request.object)
        for transform in self.get_registered_transforms():
            options = pulumi.ResourceOptions()
            arguments = pulumi.ResourceTransformArgs(
                custom=True, type_=request.type, name=request.name, props=properties, opts=options
            )
            result = transform(arguments)
            # The stacks' transforms neither wait for anything nor leave a resource out.
            properties = result.props if isinstance(result, pulumi.ResourceTransformResult) else properties
        return properties.get("tags")


def main() -> None:
    """Read the order from standard input, run the program, write the record."""
    order = json.load(sys.stdin)
    set_all_config(order["config"], order["secret_keys"])
    cloud = Cloud(order["references"])
    recorder = Recorder(cloud)
    mocks.set_mocks(
        cloud,
        project=order["project"],
        stack=order["stack"],
        preview=False,
        monitor=recorder,
        organization="city",
    )
    program = Path(order["folder"]) / "__main__.py"

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    mocks.test(run)()  # type: ignore[no-untyped-call]
    root = get_root_resource()
    if not isinstance(root, Stack):
        raise TypeError(f"{program} ran without a stack")
    outputs = _plain(MessageToDict(_sync_await(rpc.serialize_properties(root.outputs, {}))))
    json.dump({"resources": recorder.resources_asked_for, "outputs": outputs}, sys.stdout)


if __name__ == "__main__":
    main()
