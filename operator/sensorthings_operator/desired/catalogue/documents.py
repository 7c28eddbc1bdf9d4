"""Everything that is published of a service, as files. Imported where a service asks for it: rdflib is large."""

from urllib.parse import urlsplit

from sensorthings_operator.desired.catalogue import conventions, dcat, iso, masterportal, web
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
    if described.endpoint is not None:
        path = urlsplit(described.endpoint).path.removesuffix("/")
        files |= web.served(files, title=described.title["de"], url=described.endpoint, path=path)
        files[web.BOOTSTRAP] = web.bootstrap()
    return Documents(files, len(described.datasets), conventions.broken(graph))
