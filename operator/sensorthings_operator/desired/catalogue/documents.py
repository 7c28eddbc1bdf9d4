"""Everything that is published of a service, as files. Imported where a service asks for it: rdflib is large."""

from sensorthings_operator.desired.catalogue import conventions, dcat, iso, masterportal
from sensorthings_operator.desired.catalogue.description import Described
from sensorthings_operator.desired.catalogue.files import Documents


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
