"""The two services that a program talks to while it runs: ResourceMonitor and Engine."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import (
    callback_pb2,
    callback_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from tests.stacks.standin import plan
from tests.stacks.standin.state import STACK, Record
from tests.stacks.standin.wire import is_secret, normal, sealed, struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.stacks.standin.clouds import Clouds
    from tests.stacks.standin.state import State

ORGANIZATION: Final = "city"
_FEATURES: Final = ("SECRETS", "RESOURCE_REFERENCES", "ALIAS_SPECS", "TRANSFORMS", "DELETED_WITH", "OUTPUT_VALUES")


class Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Takes registrations, plans and does what they ask for, and answers."""

    def __init__(
        self, project: str, stack: str, old: State, references: Mapping[str, State], clouds: Clouds, *, dry: bool
    ) -> None:
        self.project, self.stack, self.dry = project, stack, dry
        self.old, self.references, self.clouds = old.records, references, clouds
        self.new: dict[str, Record] = {}
        self.renamed: set[str] = set()
        """URNs under which the old stack knew what has another one now."""
        self.steps: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.messages: list[str] = []
        self._transforms: list[callback_pb2.Callback] = []
        self._channels: dict[str, grpc.Channel] = {}
        self._root = ""
        # Registrations come from many threads of the program; one after another is quick enough here.
        self._lock = threading.RLock()

    # The names of methods and their first argument are gRPC's.
    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.severity >= engine_pb2.WARNING:
            self.messages.append(request.message)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: Any) -> Any:  # noqa: N802
        return engine_pb2.RequirePulumiVersionResponse()

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        known = {name.rsplit("FEATURE_", 1)[-1]: value for name, value in resource_pb2.ResourceMonitorFeature.items()}
        return resource_pb2.DeploymentInfo(
            project=self.project,
            stack=self.stack,
            organization=ORGANIZATION,
            dryRun=self.dry,
            parallel=16,
            supportedFeatures=[known[name] for name in _FEATURES if name in known],
        )

    def RegisterStackTransform(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._transforms.append(request)
        return empty_pb2.Empty()

    def RegisterPackage(self, request: Any, context: Any) -> Any:  # noqa: N802
        return resource_pb2.RegisterPackageResponse(ref=f"{request.name}@{request.version}")

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        return resource_pb2.ResourceInvokeResponse(**{"return": struct(self.clouds.invoke(request.tok))})

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        urn = self._urn(request.parent, request.type, request.name)
        if request.type != "pulumi:pulumi:StackReference":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the stand-in reads no {request.type}")
        if request.id not in self.references:
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown stack {request.id!r}")
        outputs = self.references[request.id].outputs
        secrets = [name for name, value in outputs.items() if is_secret(value)]
        with self._lock:
            self.new[urn] = Record(urn, request.type, custom=True, id=request.id, external=True)
            self.steps.append(("read", urn))
        answer = {"name": request.id, "outputs": outputs, "secretOutputNames": secrets}
        return resource_pb2.ReadResourceResponse(urn=urn, properties=struct(answer))

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        for callback in (*request.transforms, *self._transforms):
            self._transform(callback, request)
        try:
            with self._lock:
                record = self._register(request)
        except plan.Refused as error:
            self.refused.append(str(error))
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return resource_pb2.RegisterResourceResponse(urn=record.urn, id=record.id, object=struct(record.outputs))

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._lock:
            outputs = normal(json_format.MessageToDict(request.outputs))
            record = self.new[request.urn]
            self.new[request.urn] = replace(record, outputs=outputs)
        return empty_pb2.Empty()

    def _register(self, request: Any) -> Record:
        urn = self._urn(request.parent, request.type, request.name)
        if urn in self.new:
            raise plan.Refused(f"{urn} is registered twice: give one of the resources another name")
        old = self._known(urn, request)
        record = plan.with_ignored(self._wanted(urn, request), old, request.ignoreChanges)
        operation = plan.operation(record, old, list(request.replaceOnChanges))
        self.steps.append((operation, urn))
        made = self._done(record, old, operation)
        self.new[urn] = made
        return made

    def _known(self, urn: str, request: Any) -> Record | None:
        """The resource as the old stack has it, also by a name that it had before."""
        names = (urn, *(self._alias(each, request) for each in request.aliases))
        found = next((name for name in names if name in self.old and name not in self.renamed), None)
        if found is None:
            return None
        if found != urn:
            self.renamed.add(found)
        return self.old[found]

    def _alias(self, alias: Any, request: Any) -> str:
        if alias.WhichOneof("alias") == "urn":
            return str(alias.urn)
        spec = alias.spec
        parent = "" if spec.noParent else spec.parentUrn or request.parent
        return self._urn(parent, spec.type or request.type, spec.name or request.name)

    def _wanted(self, urn: str, request: Any) -> Record:
        dependencies = {name: sorted(found.urns) for name, found in request.propertyDependencies.items()}
        return Record(
            urn,
            request.type,
            custom=request.custom,
            parent=request.parent,
            provider=request.provider,
            inputs=normal(json_format.MessageToDict(request.object)),
            dependencies=tuple(sorted(request.dependencies)),
            property_dependencies={name: urns for name, urns in dependencies.items() if urns},
            protect=request.protect,
            retain=request.retainOnDelete,
        )

    def _done(self, record: Record, old: Record | None, operation: str) -> Record:
        if not record.custom:
            return replace(record, outputs=record.inputs)
        if operation == "same" and old is not None:
            return replace(record, id=old.id, outputs=old.outputs)
        if self.dry:
            self.clouds.preview(record.type, record.inputs)
            known = old is not None and operation == "update"
            return replace(record, id=old.id if known and old else "", outputs=plan.in_preview(record, old))
        if operation == "update" and old is not None:
            outputs = self.clouds.update(record.urn, record.type, record.inputs)
            return replace(record, id=old.id, outputs=sealed(outputs, record.inputs))
        if operation == "replace" and old is not None:
            self.clouds.delete(old)
        identity, outputs = self.clouds.create(record.urn, record.type, record.inputs)
        return replace(record, id=identity, outputs=sealed(outputs, record.inputs))

    def _urn(self, parent: str, type_: str, name: str) -> str:
        above = parent.split("::")[2] if parent else STACK
        qualified = type_ if above == STACK else f"{above}${type_}"
        return f"urn:pulumi:{self.stack}::{self.project}::{qualified}::{name}"

    def _transform(self, callback: callback_pb2.Callback, request: Any) -> None:
        """Let the program itself change what it asked for, as Pulumi does."""
        channel = self._channels.setdefault(callback.target, grpc.insecure_channel(callback.target))
        question = resource_pb2.TransformRequest(
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=request.parent,
            properties=request.object,
            options=resource_pb2.TransformResourceOptions(
                depends_on=request.dependencies,
                protect=request.protect,
                provider=request.provider,
                ignore_changes=request.ignoreChanges,
            ),
        )
        invocation = callback_pb2.CallbackInvokeRequest(token=callback.token, request=question.SerializeToString())
        answer = callback_pb2_grpc.CallbacksStub(channel).Invoke(invocation)  # type: ignore[no-untyped-call]
        request.object.CopyFrom(resource_pb2.TransformResponse.FromString(answer.response).properties)
