"""From the types of this package to CustomResourceDefinitions: pure, the same types give the same definitions.

Called by ``python -m sensorthings_operator.api`` (which writes ``crds/``), by the API reference, and by the offline
validation of the command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, NoDefault
from pydantic_core import core_schema

from sensorthings_operator.api import connector, sensorthingsservice
from sensorthings_operator.api.base import API_VERSION, GROUP, VERSION, Model
from sensorthings_operator.api.connector import Connector
from sensorthings_operator.api.sensorthingsservice import SensorThingsService

Schema = dict[str, Any]
"""An OpenAPI v3 schema as Kubernetes takes it: structural."""

_READY: Final = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True)
class PrinterColumn:
    """A column of ``kubectl get``; those of priority 1 show with ``-o wide``."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0
    description: str = ""

    def manifest(self) -> dict[str, Any]:
        """The entry of ``additionalPrinterColumns``."""
        optional = {"description": self.description, "priority": self.priority}
        return {"name": self.name, "type": self.type, "jsonPath": self.json_path} | {
            key: value for key, value in optional.items() if value
        }


@dataclass(frozen=True)
class Resource:
    """What a CustomResourceDefinition says beside the schema."""

    model: type[Model]
    kind: str
    plural: str
    short_names: tuple[str, ...]
    columns: tuple[PrinterColumn, ...]
    scale: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"


_CONDITION_COLUMNS: Final = (
    PrinterColumn("Ready", f"{_READY}.status", description="Whether everything that was asked for is there."),
    PrinterColumn("Reason", f"{_READY}.reason", description="Why it is ready or not, in one word."),
)
_AGE: Final = PrinterColumn("Age", ".metadata.creationTimestamp", "date")
_MESSAGE: Final = PrinterColumn("Message", f"{_READY}.message", priority=1, description="Why, in a sentence.")

SERVICE: Final = Resource(
    model=SensorThingsService,
    kind=sensorthingsservice.KIND,
    plural=sensorthingsservice.PLURAL,
    short_names=("sta",),
    columns=(
        *_CONDITION_COLUMNS,
        PrinterColumn("HTTP", ".status.http.readyReplicas", "integer", description="Pods of HTTP that answer."),
        PrinterColumn("MQTT", ".status.mqtt.readyReplicas", "integer", description="Pods of MQTT that answer."),
        PrinterColumn("Version", ".spec.version", description="Version of FROST-Server that is asked for."),
        _AGE,
        PrinterColumn("HTTP-Pods", ".status.http.replicas", "integer", 1, "Pods of HTTP that exist."),
        PrinterColumn("MQTT-Pods", ".status.mqtt.replicas", "integer", 1, "Pods of MQTT that exist."),
        PrinterColumn("URL", ".status.endpoints[0].url", priority=1, description="Where clients connect."),
        _MESSAGE,
    ),
    scale=(
        ("specReplicasPath", ".spec.http.replicas"),
        ("statusReplicasPath", ".status.http.replicas"),
        ("labelSelectorPath", ".status.http.selector"),
    ),
)
CONNECTOR: Final = Resource(
    model=Connector,
    kind=connector.KIND,
    plural=connector.PLURAL,
    short_names=("stc",),
    columns=(
        *_CONDITION_COLUMNS,
        PrinterColumn("Service", ".spec.serviceRef.name", description="The service it feeds."),
        PrinterColumn("Schedule", ".spec.schedule", description="When it runs; empty: all the time."),
        PrinterColumn("Suspended", ".spec.suspend", "boolean"),
        PrinterColumn(
            "Last-Observation",
            ".status.arrivals.lastObservationTime",
            "date",
            description="How long ago its newest Observation was made.",
        ),
        _AGE,
        PrinterColumn("Per-Minute", ".status.arrivals.perMinute", "integer", 1, "Observations a minute."),
        PrinterColumn("Token-Until", ".status.token.expiresAt", "string", 1, "Until when the newest token is good."),
        _MESSAGE,
    ),
)
RESOURCES: Final = (SERVICE, CONNECTOR)
"""Every custom resource of the project."""


class _Structural(GenerateJsonSchema):
    """JSON Schema without what Kubernetes refuses, and with the defaults that factories make."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A field that may be absent is optional, never null."""
        return self.generate_inner(schema["schema"])

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        """The default, called for where a factory makes it."""
        factory = schema.get("default_factory")
        if factory is not None:
            return cast("Any", factory)()
        return NoDefault if schema.get("default") is None else schema["default"]


def _default(value: object) -> object:
    """The default less its empty members; whole, as the API server runs CEL on it before nested defaults apply."""
    if not isinstance(value, Mapping):
        return value
    members = {key: _default(member) for key, member in value.items()}
    return {key: member for key, member in members.items() if member not in (None, [], {})}


def _structural(node: Any, definitions: Mapping[str, Any]) -> Any:
    """Inline every reference, and write each node as Kubernetes' structural schemas ask for."""
    if isinstance(node, list):
        return [_structural(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        return _structural(target | {key: value for key, value in node.items() if key != "$ref"}, definitions)
    schema = {
        key: {name: _structural(member, definitions) for name, member in value.items()}
        if key == "properties"
        else value
        if key in {"default", "x-kubernetes-validations"}
        else _structural(value, definitions)
        for key, value in node.items()
        if key not in {"title", "$defs"}
    }
    return _ordered(_typed(schema))


def _typed(schema: Schema) -> Schema:
    if schema.get("x-kubernetes-int-or-string"):
        del schema["type"]
        # A pattern binds strings only, and minimum numbers only.
        schema |= {"anyOf": [{"type": "integer"}, {"type": "string"}], "minimum": 0}
    if "const" in schema:
        # Of one value that is allowed; structural schemas know enum alone.
        schema["enum"] = [schema.pop("const")]
    if schema.get("type") == "integer":
        schema.setdefault("format", "int32")
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    if "default" in schema:
        schema["default"] = _default(schema["default"])
        if schema["default"] in ([], {}):
            del schema["default"]
    return schema


_ORDER: Final = ("description", "type", "format", "x-kubernetes-int-or-string", "default", "enum", "required")


def _ordered(schema: Schema) -> Schema:
    """What people look for first stands first; the members of an object stand last."""
    first = {key: schema[key] for key in _ORDER if key in schema}
    last = {key: schema[key] for key in ("items", "additionalProperties", "properties") if key in schema}
    return first | {key: value for key, value in schema.items() if key not in last} | last


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}


@cache
def schema(resource: Resource) -> Schema:
    """The structural schema of a resource. It is shared: don't change it."""
    generated = resource.model.model_json_schema(by_alias=True, schema_generator=_Structural)
    root = _structural(generated, generated.get("$defs", {}))
    identity = {
        "apiVersion": {"type": "string", "description": f"{API_VERSION}"},
        "kind": {"type": "string", "description": resource.kind},
        "metadata": {"type": "object"},
    }
    return _without(root, "properties") | {"properties": identity | root["properties"]}


def manifest(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition (apiextensions.k8s.io/v1) of a resource."""
    subresources: dict[str, Any] = {"status": {}}
    if resource.scale:
        subresources["scale"] = dict(resource.scale)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": resource.name,
            "labels": {"app.kubernetes.io/part-of": "sensorthings-operator"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": list(resource.short_names),
                # Not "all": `kubectl delete all --all` must not take a city's service with it.
                "categories": ["sensorthings"],
            },
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema(resource)},
                    "subresources": subresources,
                    "additionalPrinterColumns": [column.manifest() for column in resource.columns],
                }
            ],
        },
    }
