"""What is said of a service and its datasets, whatever the format: the spec and the data's summary put together."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sensorthings_operator.api.catalogue import Catalogue, DatastreamGroup, Description, Layer, Title
from sensorthings_operator.api.vocabularies import Theme
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.catalogue import identifiers
from sensorthings_operator.desired.metadata import digest
from sensorthings_operator.desired.reading import Box, LayerSummary, Reading, union
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

Texts = Mapping[str, str]
"""By language, ``de`` and, where there is one, ``en``."""

SERVICE_FILE: Final = "service.xml"
"""Name of the file with the service's ISO record."""
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document of XML 1.0 can hold (section 2.2)."""
_NOT_IN_KEYS: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_KEY: Final = 64


@dataclass(frozen=True)
class Dataset:
    """One layer."""

    summary: LayerSummary
    title: Texts
    description: Texts
    keywords: tuple[str, ...]
    themes: tuple[Theme, ...]
    landing_page: str | None
    style: str | None
    box: Box | None
    identifier: str
    """A URI."""
    record_id: str
    key: str
    """In names of files, and as the layer's id in a portal."""

    @property
    def record_file(self) -> str:
        """Name of the file with the ISO record."""
        return f"dataset-{self.key}.xml"


@dataclass(frozen=True)
class Described:
    """A service with its datasets."""

    spec: Catalogue
    host: str
    title: Texts
    description: Texts
    root: str
    """What stands before /v1.1."""
    mqtt: str
    web_socket: str
    public: bool
    """Everybody may read."""
    box: Box | None
    day: str
    """On which the description became what it is."""
    identifier: str
    """A URI of the service."""
    datasets: tuple[Dataset, ...]
    endpoint: str | None = None
    """Where harvesters find all of it, with a slash at its end; None where it is not served."""

    def document(self, name: str) -> str | None:
        """Where they find one of the documents."""
        return None if self.endpoint is None else f"{self.endpoint}{name}"

    @property
    def rest(self) -> str:
        """The SensorThings API."""
        return f"{self.root}/v1.1"

    def own_id(self, *names: str) -> str:
        """A UUID for something of this service."""
        return identifiers.uuid_of(self.host, *names)

    @property
    def record_id(self) -> str:
        """Of the service's own record."""
        return self.spec.record_id or self.own_id("record")


def plain(text: str) -> str:
    """Text that any format can hold."""
    return _NOT_XML.sub("", text)


def describe(service: Service, settings: OperatorSettings, spec: Catalogue, reading: Reading) -> Described:
    """What is said of a service that has a host."""
    endpoints = {each.name: each.url for each in addresses.endpoints(service, settings)}
    host = service.spec.host or ""
    found = [(group, layer) for group in spec.datasets for layer in _of_group(group, reading)]
    keys = Counter(_slug(layer.layer_name) for _, layer in found)
    datasets = tuple(_dataset(host, spec, group, layer, keys) for group, layer in found)
    box = union([_spec_box(spec), *(each.box for each in datasets)])
    return Described(
        spec=spec,
        host=host,
        title=_texts(spec.title),
        description=_texts(spec.description),
        root=endpoints["sensorthings"].removesuffix("/v1.1"),
        mqtt=endpoints["mqtt"],
        web_socket=endpoints["mqtt-websocket"],
        public=service.spec.auth.anonymous_read,
        box=box,
        day=reading.day,
        identifier=_identifier(spec, identifiers.uuid_of(host, "service")),
        datasets=datasets,
        endpoint=endpoints.get("catalogue"),
    )


def _of_group(group: DatastreamGroup, reading: Reading) -> Iterator[LayerSummary]:
    listed = {layer.layer_name for layer in group.layers}
    for layer in reading.summary.layers:
        if layer.service_name == group.service_name and (group.unlisted == "Publish" or layer.layer_name in listed):
            yield layer


def _dataset(host: str, spec: Catalogue, group: DatastreamGroup, summary: LayerSummary, keys: Counter[str]) -> Dataset:
    said = next((each for each in group.layers if each.layer_name == summary.layer_name), None) or Layer(
        layer_name=summary.layer_name
    )
    names = (host, summary.service_name, summary.layer_name)
    own, facts = _texts(said.description or spec.description), _facts(summary)
    slug = _slug(summary.layer_name)
    alone = slug == summary.layer_name and keys[slug] == 1
    return Dataset(
        summary=summary,
        title=_texts(said.title) if said.title else _layer_title(spec.title, summary.layer_name),
        description={language: f"{text}\n\n{facts[language]}" for language, text in own.items()},
        keywords=tuple(dict.fromkeys(plain(word) for word in (*spec.keywords, *said.keywords))),
        themes=tuple(said.themes or spec.themes),
        landing_page=said.landing_page or spec.landing_page,
        style=said.style,
        box=_spec_box(spec) or summary.box,
        identifier=_identifier(spec, said.local_id or identifiers.uuid_of(*names)),
        record_id=said.record_id or identifiers.uuid_of(*names, "record"),
        key=slug if alone else f"{slug}-{digest([summary.service_name, summary.layer_name], length=8)}",
    )


def _identifier(spec: Catalogue, local_id: str) -> str:
    if spec.inspire is None:
        return f"urn:uuid:{local_id}"
    return identifiers.object_identifier(identifiers.namespace(spec.inspire), local_id)


def _spec_box(spec: Catalogue) -> Box | None:
    given = spec.spatial
    return None if given is None else Box(west=given.west, south=given.south, east=given.east, north=given.north)


def _slug(name: str) -> str:
    return _NOT_IN_KEYS.sub("-", name)[:_LONGEST_KEY].strip("-") or "layer"


def _texts(said: Title | Description) -> Texts:
    return {language: plain(text) for language, text in (("de", said.de), ("en", said.en)) if text is not None}


def _layer_title(title: Title, layer_name: str) -> Texts:
    return {language: f"{text}: {plain(layer_name)}" for language, text in _texts(title).items()}


def _facts(summary: LayerSummary) -> Texts:
    """What the data itself tells."""
    seen = ", ".join(map(plain, summary.observed_properties))
    units = ", ".join(map(plain, summary.units))
    things, datastreams = summary.things, summary.datastreams
    german = [f"Things: {things}, Datastreams: {datastreams}."]
    english = list(german)
    if seen:
        german.append(f"Beobachtet wird: {seen}.")
        english.append(f"Observed: {seen}.")
    if units:
        german.append(f"Einheiten: {units}.")
        english.append(f"Units: {units}.")
    return {"de": " ".join(german), "en": " ".join(english)}
