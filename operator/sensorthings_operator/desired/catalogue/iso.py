"""Records of ISO 19139 for a geo catalogue: two of the service, one of the whole of its data, one for each layer.

The service's record and the one on MQTT are coupled to those of the datasets by ``operatesOn``; these name the record
of the whole as their parent, as Hamburg keeps them. Conventions of GDI-DE: https://www.gdi-de.org/ (Architektur).
"""

from typing import Final
from urllib.parse import urlencode

from lxml.etree import _Element as Element

from sensorthings_operator.api.vocabularies import Theme
from sensorthings_operator.desired.catalogue import gmd, requests, terms
from sensorthings_operator.desired.catalogue.codes import INSPIRE_THEMES, MAINTENANCE, TOPICS
from sensorthings_operator.desired.catalogue.description import SERVICE_FILE, Dataset, Described
from sensorthings_operator.desired.catalogue.gmd import GMD, SRV, code, text

_GEMET: Final = ("GEMET - INSPIRE themes, version 1.0", "2008-06-01")
_SERVICES: Final = ("Service Classification, version 1.0", "2008-12-03")


def records(described: Described) -> dict[str, str]:
    """The documents by the names of their files."""
    made = {
        SERVICE_FILE: _rest(described),
        "service-mqtt.xml": _mqtt(described),
        "series.xml": _series(described),
        **{dataset.record_file: _dataset(described, dataset) for dataset in described.datasets},
    }
    return {name: gmd.written(record) for name, record in made.items()}


def _head(described: Described, record_id: str, level: str, *, parent: str = "") -> list[Element]:
    head = [
        text("fileIdentifier", record_id),
        code("language", "LanguageCode", "ger"),
        GMD.characterSet(gmd.listed(GMD, "MD_CharacterSetCode", "utf8")),
    ]
    if parent:
        head.append(text("parentIdentifier", parent))
    epsg = gmd.anchor("code", "http://www.opengis.net/def/crs/EPSG/0/4326", "EPSG:4326")
    return [
        *head,
        code("hierarchyLevel", "MD_ScopeCode", level),
        text("hierarchyLevelName", level),
        gmd.party("contact", described.spec, "pointOfContact"),
        gmd.day("dateStamp", described.day),
        text("metadataStandardName", "ISO19115"),
        text("metadataStandardVersion", "2003/Cor.1:2006"),
        GMD.referenceSystemInfo(GMD.MD_ReferenceSystem(GMD.referenceSystemIdentifier(GMD.RS_Identifier(epsg)))),
    ]


def _rest(described: Described) -> Element:
    return _service(
        described,
        record_id=described.record_id,
        identifier=described.identifier,
        title=described.title["de"],
        abstract=described.description["de"],
        address=described.rest,
        operation="GET",
        examples=[(requests.whole(described.rest), "Alle Things mit ihren neuesten Observations")],
    )


def _mqtt(described: Described) -> Element:
    ids = [
        requests.datastreams(described.rest, d.summary.service_name, d.summary.layer_name) for d in described.datasets
    ]
    told = (
        f"Neue Observations des Dienstes „{described.title['de']}“ kommen über MQTT (3.1.1 und 5) bei {described.mqtt} "
        f"und über WebSocket bei {described.web_socket}. Das Topic ist {requests.TOPIC}, ID die @iot.id eines "
        f"Datastreams. Die Datastreams einer Ebene nennt eine Anfrage, wie sie bei den Verweisen steht."
    )
    return _service(
        described,
        record_id=described.own_id("mqtt", "record"),
        identifier=f"urn:uuid:{described.own_id('mqtt')}",
        title=f"{described.title['de']}: MQTT",
        abstract=told,
        address=described.mqtt,
        operation="SUBSCRIBE",
        examples=[(each, "Datastreams einer Ebene, für die Topics") for each in ids],
    )


def _service(  # noqa: PLR0913 - in what the records of REST and MQTT differ
    described: Described,
    *,
    record_id: str,
    identifier: str,
    title: str,
    abstract: str,
    address: str,
    operation: str,
    examples: list[tuple[str, str]],
) -> Element:
    operates = SRV.SV_OperationMetadata(
        text("operationName", operation, SRV),
        SRV.DCP(gmd.listed(SRV, "DCPList", "WebServices")),
        SRV.connectPoint(GMD.CI_OnlineResource(GMD.linkage(GMD.URL(address)))),
    )
    identification = SRV.SV_ServiceIdentification(
        gmd.citation("citation", title, described.day, kind="revision", identifier=identifier),
        text("abstract", abstract),
        gmd.party("pointOfContact", described.spec, "publisher"),
        *gmd.keywords(["infoFeatureAccessService"], *_SERVICES),
        *_keywords(described, described.spec.keywords),
        *terms.constraints(described),
        gmd.local_name("serviceType", "download"),
        text("serviceTypeVersion", "OGC:SensorThings 1.1", SRV),
        *([SRV.extent(GMD.EX_Extent(gmd.box(described.box)))] if described.box else []),
        SRV.couplingType(gmd.listed(SRV, "SV_CouplingType", "tight")),
        SRV.containsOperations(operates),
        *(_operates_on(described, dataset) for dataset in described.datasets),
    )
    scope = GMD.levelDescription(GMD.MD_ScopeDescription(text("other", "Dienst")))
    return GMD.MD_Metadata(
        *_head(described, record_id, "service"),
        GMD.identificationInfo(identification),
        _distribution([(address, title, "Zugang zum Dienst", "download"), *_pages(described, examples)]),
        _quality("service", ("Verordnung (EG) Nr. 976/2009", "2009-10-19"), scope=scope),
    )


def _operates_on(described: Described, dataset: Dataset) -> Element:
    csw, identifier = described.spec.csw, dataset.identifier
    if csw is None:
        return gmd.link(SRV.operatesOn(), described.document(dataset.record_file) or identifier, identifier)
    asked = {
        "SERVICE": "CSW",
        "REQUEST": "GetRecordById",
        "VERSION": "2.0.2",
        "OUTPUTSCHEMA": gmd.NAMESPACES["gmd"],
        "ELEMENTSETNAME": "full",
        "ID": dataset.record_id,
    }
    joined = "&" if "?" in csw else "?"
    return gmd.link(SRV.operatesOn(), f"{csw}{joined}{urlencode(asked, safe=':/')}#{dataset.record_id}", identifier)


def _series_id(described: Described) -> str:
    return described.own_id("series", "record")


def _series(described: Described) -> Element:
    layers = ", ".join(dataset.title["de"] for dataset in described.datasets)
    return _data(
        described,
        head=_head(described, _series_id(described), "series"),
        level="series",
        citation=gmd.citation(
            "citation",
            described.title["de"],
            described.day,
            kind="revision",
            identifier=f"urn:uuid:{described.own_id('series')}",
        ),
        abstract=f"{described.description['de']}\n\nEbenen: {layers}.",
        keywords=described.spec.keywords,
        themes=described.spec.themes,
        extent=[gmd.box(described.box)] if described.box else [],
        online=[(described.rest, described.title["de"], "SensorThings API des ganzen Dienstes", "download")],
    )


def _dataset(described: Described, dataset: Dataset) -> Element:
    summary, names = dataset.summary, (dataset.summary.service_name, dataset.summary.layer_name)
    extent = [gmd.box(dataset.box)] if dataset.box else []
    if summary.first:
        extent.append(gmd.period(summary.first, summary.last))
    ids = requests.datastreams(described.rest, *names)
    ways = [
        (
            requests.layer(described.rest, *names),
            "SensorThings API",
            "Things mit ihren neuesten Observations",
            "download",
        ),
        (described.mqtt, "MQTT", f"Topic {requests.TOPIC}, ID aus {ids}", "download"),
    ]
    if dataset.landing_page is not None:
        ways.append((dataset.landing_page, dataset.title["de"], "Seite zum Datensatz", "information"))
    changed = summary.last or described.day
    return _data(
        described,
        head=_head(described, dataset.record_id, "dataset", parent=_series_id(described)),
        level="dataset",
        citation=gmd.citation("citation", dataset.title["de"], changed, kind="revision", identifier=dataset.identifier),
        abstract=dataset.description["de"],
        keywords=dataset.keywords,
        themes=dataset.themes,
        extent=extent,
        online=ways,
    )


def _data(  # noqa: PLR0913 - in what the records of a layer and of the whole differ
    described: Described,
    *,
    head: list[Element],
    level: str,
    citation: Element,
    abstract: str,
    keywords: list[str] | tuple[str, ...],
    themes: list[Theme] | tuple[Theme, ...],
    extent: list[Element],
    online: list[tuple[str, str, str, str]],
) -> Element:
    often = MAINTENANCE.get(described.spec.accrual_periodicity, "unknown")
    maintenance = code("maintenanceAndUpdateFrequency", "MD_MaintenanceFrequencyCode", often)
    topics = dict.fromkeys(TOPICS[theme] for theme in themes)
    identification = GMD.MD_DataIdentification(
        citation,
        text("abstract", abstract),
        gmd.party("pointOfContact", described.spec, "owner"),
        GMD.resourceMaintenance(GMD.MD_MaintenanceInformation(maintenance)),
        *_keywords(described, keywords),
        *terms.constraints(described),
        code("spatialRepresentationType", "MD_SpatialRepresentationTypeCode", "vector"),
        gmd.language(described.spec),
        *(GMD.topicCategory(GMD.MD_TopicCategoryCode(topic)) for topic in topics),
        *([GMD.extent(GMD.EX_Extent(*extent))] if extent else []),
    )
    lineage = GMD.lineage(GMD.LI_Lineage(text("statement", "Messungen und Zustände, wie ihre Geräte sie melden.")))
    return GMD.MD_Metadata(
        *head,
        GMD.identificationInfo(identification),
        _distribution(online),
        _quality(level, ("Verordnung (EG) Nr. 1089/2010", "2010-12-08"), lineage=lineage),
    )


def _keywords(described: Described, words: list[str] | tuple[str, ...]) -> list[Element]:
    inspire = described.spec.inspire
    theme = [] if inspire is None else gmd.keywords([INSPIRE_THEMES[inspire.theme]], *_GEMET)
    return [*theme, *gmd.keywords(words), *(gmd.keywords(["opendata"]) if terms.is_open(described) else [])]


def _pages(described: Described, examples: list[tuple[str, str]]) -> list[tuple[str, str, str, str]]:
    pages = [(address, "Beispiel", told, "information") for address, told in examples]
    page = described.spec.landing_page
    return pages if page is None else [*pages, (page, described.title["de"], "Seite zum Dienst", "information")]


def _distribution(ways: list[tuple[str, str, str, str]]) -> Element:
    lines = [GMD.onLine(gmd.online(*way)) for way in ways]
    layout = GMD.distributionFormat(GMD.MD_Format(text("name", "JSON"), text("version", "SensorThings 1.1")))
    return GMD.distributionInfo(GMD.MD_Distribution(layout, GMD.transferOptions(GMD.MD_DigitalTransferOptions(*lines))))


def _quality(
    level: str, regulation: tuple[str, str], *, scope: Element | None = None, lineage: Element | None = None
) -> Element:
    """That conformity with INSPIRE's regulation was not looked at: nothing here says that it is given."""
    scoped = GMD.DQ_Scope(code("level", "MD_ScopeCode", level), *([] if scope is None else [scope]))
    result = GMD.DQ_ConformanceResult(
        gmd.citation("specification", *regulation),
        text("explanation", "Die Konformität wurde nicht geprüft."),
        gmd.boolean("pass", value=False),
    )
    report = GMD.report(GMD.DQ_DomainConsistency(GMD.result(result)))
    parts = [GMD.scope(scoped), report, *([] if lineage is None else [lineage])]
    return GMD.dataQualityInfo(GMD.DQ_DataQuality(*parts))
