"""The endpoint for harvesters: a real Envoy serves what is written, and takes up what changes while it runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree, html
from rdflib import Graph
from rdflib.namespace import DCAT, FOAF, RDF

from sensorthings_operator import desired
from sensorthings_operator.desired.catalogue import documents
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.validation import validate
from tests.unit.catalogue.catalogued import catalogued, described
from tests.unit.catalogue.running_endpoint import URL, Server, serving
from tests.unit.operator.running_envoy import await_true
from tests.unit.operator.samples import SETTINGS

SERVED: Final[dict[str, Any]] = {"endpoint": {}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An Envoy with the documents of the tests' service, started as in its pod."""
    with serving(tmp_path, documents.documents(described()).files) as server:
        yield server


def test_each_document_comes_whole_and_with_its_type(server: Server) -> None:
    written = documents.documents(described()).files
    types = {
        "catalogue.rdf": "application/rdf+xml",
        "catalogue.jsonld": "application/ld+json",
        "service.xml": "application/xml",
        "dataset-no2.xml": "application/xml",
        "services.json": "application/json",
    }
    for name, text in written.items():
        status, headers, body = server.ask(f"/catalogue/{name}")
        assert (status, body) == (200, text), name
        assert headers["access-control-allow-origin"] == "*"
        if name in types:
            assert headers["content-type"] == f"{types[name]}; charset=utf-8"
    assert len(Graph().parse(data=server.ask("/catalogue/catalogue.rdf")[2], format="xml")) > 50


def test_the_page_leads_to_every_document(server: Server) -> None:
    for path in ("/catalogue", "/catalogue/"):
        status, headers, body = server.ask(path)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert html.fromstring(body).findtext(".//h1") == "Luft <Hamburg>"
        assert html.fromstring(body).xpath("//a/@href") == [f"{URL}{name}" for name in sorted(documents_of())]


def documents_of() -> dict[str, str]:
    """The documents of the tests' service."""
    return documents.documents(described()).files


@pytest.mark.parametrize(
    "path", ["/catalogue/reading.json", "/catalogue/envoy.json", "/catalogue/routes.json", "/", "/x"]
)
def test_nothing_else_is_served(server: Server, path: str) -> None:
    status, _, body = server.ask(path)
    assert (status, body) == (404, "There is no such document. All of them are listed at /catalogue/\n")


def test_a_path_that_leads_out_of_the_folder_leads_nowhere(server: Server) -> None:
    assert server.ask("/catalogue/../../../etc/passwd")[0] == 404
    assert server.ask("/catalogue/..%2f..%2f..%2fetc%2fpasswd")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(server: Server, method: str) -> None:
    status, headers, _ = server.ask("/catalogue/catalogue.rdf", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_head_tells_what_get_would(server: Server) -> None:
    status, headers, body = server.ask("/catalogue/catalogue.rdf", "HEAD")
    assert (status, body) == (200, "")
    assert headers["content-type"].startswith("application/rdf+xml")


def test_who_has_a_document_already_is_told_so(server: Server) -> None:
    tag = server.ask("/catalogue/catalogue.rdf")[1]["etag"]
    assert server.ask("/catalogue/catalogue.rdf", **{"If-None-Match": f'"other", {tag}'})[::2] == (304, "")
    assert server.ask("/catalogue/catalogue.rdf", **{"If-None-Match": '"other"'})[0] == 200
    assert server.ask("/catalogue/catalogue.jsonld", **{"If-None-Match": tag})[0] == 200


def test_changed_documents_are_served_by_the_same_process(server: Server) -> None:
    before = server.ask("/catalogue/catalogue.rdf")[1]["etag"]
    changed = {**documents_of(), "catalogue.rdf": "<changed/>", "dataset-new.xml": "<new/>"}
    del changed["dataset-no2.xml"]
    server.write(changed)
    await_true(lambda: server.ask("/catalogue/catalogue.rdf")[2] == "<changed/>", "the new text")
    assert server.ask("/catalogue/catalogue.rdf", **{"If-None-Match": before})[0] == 200
    assert server.ask("/catalogue/dataset-new.xml")[2] == "<new/>"
    assert server.ask("/catalogue/dataset-no2.xml")[0] == 404


def test_documents_as_large_as_a_config_map_takes_are_served(server: Server) -> None:
    large = f"<large>{'x' * 900_000}</large>"
    server.write({"catalogue.rdf": large})
    await_true(lambda: server.ask("/catalogue/catalogue.rdf")[2] == large, "all of it")


def made(service: Service) -> dict[tuple[str, str], Manifest]:
    """The children by kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in desired.children(service, SETTINGS)}


NAME = "air-catalogue"
KINDS = ("ConfigMap", "Service", "Deployment", "ServiceAccount", "NetworkPolicy", "Ingress")


def test_it_is_made_where_the_spec_asks_for_it() -> None:
    with_it, without = made(catalogued(SERVED)), made(catalogued())
    names = {(kind, NAME) for kind in KINDS}
    assert names <= with_it.keys()
    assert names & without.keys() == {("ConfigMap", NAME)}
    assert {"index.html", "routes.json", "envoy.json"} == with_it["ConfigMap", NAME]["data"].keys() - without[
        "ConfigMap", NAME
    ]["data"].keys()


def test_before_the_data_was_read_nothing_is_served() -> None:
    assert ("Deployment", NAME) not in made(catalogued(SERVED, data=None))


def test_a_gateway_leads_to_it_too() -> None:
    spec = {"exposure": {"type": "Gateway", "gateway": {"name": "city"}}}
    children = made(catalogued({"endpoint": {"path": "/open/data"}}, spec=spec))
    rule = children["HTTPRoute", NAME]["spec"]["rules"][0]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/open/data"}}]
    assert rule["backendRefs"][0] == {"group": "", "kind": "Service", "name": NAME, "port": 80, "weight": 1}
    assert ("Ingress", NAME) not in children


def test_its_pod_reaches_nobody_and_is_reached_by_the_ingress_controller_alone() -> None:
    policy = made(catalogued(SERVED))["NetworkPolicy", NAME]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]


def test_another_text_rolls_no_pod() -> None:
    one, other = (made(catalogued({**SERVED, "title": {"de": title}})) for title in ("Luft", "Wasser"))
    assert one["Deployment", NAME] == other["Deployment", NAME]
    assert one["ConfigMap", NAME] != other["ConfigMap", NAME]


def test_descriptions_lead_to_what_is_served() -> None:
    graph = Graph().parse(data=documents.documents(described(SERVED)).files["catalogue.rdf"], format="xml")
    (whole,) = graph.subjects(RDF.type, DCAT.Catalog)
    assert [str(each) for each in graph.objects(whole, FOAF.homepage)] == [URL]
    pages = {str(graph.value(each, FOAF.page)) for each in graph.subjects(RDF.type, DCAT.Dataset)}
    assert f"{URL}dataset-no2.xml" in pages
    assert len(pages) == 2
    (service,) = graph.subjects(RDF.type, DCAT.DataService)
    assert str(graph.value(service, FOAF.page)) == f"{URL}service.xml"


def test_without_a_csw_a_service_record_leads_to_the_records_that_are_served() -> None:
    def coupled(catalogue: dict[str, Any]) -> set[str]:
        record = etree.fromstring(documents.documents(described(catalogue)).files["service.xml"].encode())
        found = record.xpath("//*[local-name()='operatesOn']/@*[local-name()='href']")
        assert isinstance(found, list)
        return {str(each) for each in found}

    assert f"{URL}dataset-no2.xml" in coupled({**SERVED, "csw": None})
    assert all(each.startswith("https://catalogue.example/csw") for each in coupled(SERVED))


def test_a_web_socket_below_its_path_is_refused() -> None:
    exposure = {"type": "IngressNginx", "ingressNginx": {"webSocketPath": "/catalogue/mqtt"}}
    (problem,) = validate(catalogued(SERVED, spec={"exposure": exposure}).spec)
    assert problem.path == "spec.catalogue.endpoint.path"
    assert "/catalogue/mqtt lies below it" in problem.message
