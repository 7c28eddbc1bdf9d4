"""Everything that is published of a service, as files. Imported where a service asks for it: rdflib is large."""

from dataclasses import dataclass
from typing import Final

from sensorthings_operator.desired.catalogue import conventions, dcat, iso, masterportal
from sensorthings_operator.desired.catalogue.description import Described

MOST_BYTES: Final = 1_000_000
"""Of all files together: a ConfigMap takes a MiB, and the API server some of that for what it writes beside it."""


@dataclass(frozen=True)
class Documents:
    """Files by their names, and what is wrong with them."""

    files: dict[str, str]
    datasets: int
    problems: tuple[str, ...]
    most: int = MOST_BYTES

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(text.encode()) for text in self.files.values())

    @property
    def fits(self) -> bool:
        """Into a ConfigMap."""
        return self.size <= self.most


def documents(described: Described) -> Documents:
    """All files."""
    graph = dcat.graph(described)
    files = {
        "catalogue.jsonld": dcat.json_ld(graph),
        "catalogue.rdf": dcat.rdf_xml(graph),
        **iso.records(described),
        "services.json": masterportal.services(described),
        "style_v3.json": masterportal.styles(described),
    }
    return Documents(files, len(described.datasets), conventions.broken(graph))
