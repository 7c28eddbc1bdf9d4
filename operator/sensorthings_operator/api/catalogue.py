"""How a service and its data are described in catalogues. Part of a SensorThingsService's spec."""

from typing import Annotated, Final, Literal

from pydantic import Field

from sensorthings_operator.api.base import (
    PORT_PATTERN,
    Model,
    ObjectName,
    ResourceRequirements,
    SecretReference,
    cel,
    rules,
)
from sensorthings_operator.api.inspire import LOCAL_ID, Inspire, LocalId
from sensorthings_operator.api.vocabularies import (
    Frequency,
    GeocodingLevel,
    LicenceId,
    PublisherType,
    Theme,
)

MAIL: Final = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$"
WEB: Final = r"^https?://[^\s<>\"{}|\\^`]+$"
UUID: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

WebAddress = Annotated[str, Field(pattern=WEB, max_length=1024)]
"""A URL of http or https."""
MailAddress = Annotated[str, Field(pattern=MAIL, max_length=254)]
"""A mail address."""
Line = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=255)]
"""One line of text."""
Prose = Annotated[str, Field(pattern=r"\S", max_length=4000)]
"""Text of one paragraph or more."""
PropertyValue = Annotated[str, Field(min_length=1, max_length=255)]
"""A value of a Datastream's properties, as it stands there."""
Keywords = Annotated[list[Line], Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"})]
"""Words to find a description by."""
Themes = Annotated[list[Theme], Field(max_length=13, json_schema_extra={"x-kubernetes-list-type": "set"})]
"""EU data themes."""
RecordId = Annotated[str, Field(pattern=UUID, max_length=36)]
"""A UUID in lower case."""


class Title(Model):
    """A title."""

    de: Line
    """In German."""
    en: Line | None = None
    """In English."""


class Description(Model):
    """A description."""

    de: Prose
    """In German."""
    en: Prose | None = None
    """In English."""


class Publisher(Model):
    """Who publishes the data."""

    name: Line
    """Name of the office or company."""
    homepage: WebAddress | None = None
    """Its page."""
    mail: MailAddress | None = None
    """Its mail address."""
    type: PublisherType = "LocalAuthority"
    """What it is, in the words of ADMS."""


class Contact(Model):
    """Whom to ask about the data."""

    model_config = rules(
        cel(
            "has(self.mail) || has(self.homepage) || has(self.phone)",
            "give mail, homepage or phone: a contact has to be reached",
            field_path=".mail",
        ),
    )

    name: Line | None = None
    """Name; the publisher's where it is not given."""
    mail: MailAddress | None = None
    """Mail address."""
    homepage: WebAddress | None = None
    """A page with a form."""
    phone: Annotated[str, Field(pattern=r"^[+][0-9]{6,15}$", max_length=16)] | None = None
    """Telephone number, such as +49401234567."""


class Licence(Model):
    """Under which terms the data may be used."""

    model_config = rules(
        cel(
            "has(self.attribution) || !self.id.matches('^(cc-by|dl-by|odby|odbl)')",
            "this licence asks for attribution: give the text by which users name the source",
            field_path=".attribution",
        ),
    )

    id: LicenceId
    """A licence of DCAT-AP.de."""
    attribution: Line | None = None
    """How users name the source; required by licences that ask for it."""


class PoliticalGeocoding(Model):
    """Which level of administration the data covers, and which unit of it."""

    model_config = rules(
        cel(
            "!has(self.key) || (self.level == 'state' && size(self.key) == 2) || "
            "(self.level == 'administrativeDistrict' && (size(self.key) == 3 || size(self.key) == 5)) || "
            "(self.level == 'municipality' && (size(self.key) == 8 || size(self.key) == 12))",
            "a state has a key of 2 digits, an administrativeDistrict of 3 (government district) or 5, "
            "a municipality of 8 or, as a regional key, 12; other levels have none",
            field_path=".key",
        ),
    )

    level: GeocodingLevel
    """The level."""
    key: Annotated[str, Field(pattern=r"^[0-9]{2,12}$", max_length=12)] | None = None
    """Official key of the state, district or municipality, such as 02 for Hamburg."""


Longitude = Annotated[float, Field(ge=-180, le=180)]
"""Degrees east."""
Latitude = Annotated[float, Field(ge=-90, le=90)]
"""Degrees north."""


class BoundingBox(Model):
    """A part of the earth, in degrees of WGS 84."""

    model_config = rules(
        cel("self.west < self.east", "west must be less than east", field_path=".west"),
        cel("self.south < self.north", "south must be less than north", field_path=".south"),
    )

    west: Longitude
    """Least longitude."""
    south: Latitude
    """Least latitude."""
    east: Longitude
    """Greatest longitude."""
    north: Latitude
    """Greatest latitude."""


class Layer(Model):
    """What differs in the description of one layer."""

    layer_name: PropertyValue
    """The layerName in the properties of its Datastreams."""
    title: Title | None = None
    """Title; the service's and the layer's name where it is not given."""
    description: Description | None = None
    """Description; the service's where it is not given."""
    themes: Themes = Field(default_factory=list)
    """EU data themes, instead of those of the catalogue."""
    keywords: Keywords = Field(default_factory=list)
    """Further keywords."""
    landing_page: WebAddress | None = None
    """A page about the layer."""
    style: Annotated[str, Field(pattern=LOCAL_ID, max_length=128)] | None = None
    """styleId of a style that the Masterportal has; one is written for the layer where it is not given."""
    local_id: LocalId | None = None
    """Identifier of the dataset in its namespace, where it has one already; else it is made of the names."""
    record_id: RecordId | None = None
    """Identifier of the record about it, where there is one already; else it is made of the names."""


class DatastreamGroup(Model):
    """Datastreams of one serviceName; each layerName among them is a dataset."""

    service_name: PropertyValue
    """The serviceName in the properties of the Datastreams."""
    unlisted: Literal["Publish", "Leave"] = "Publish"
    """Whether layers that the data has and that are not listed are described, too."""
    layers: Annotated[
        list[Layer],
        Field(
            max_length=64,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["layerName"]},
        ),
    ] = Field(default_factory=list)
    """Layers of which something is to be said."""


class Endpoint(Model):
    """Where harvesters find the descriptions."""

    path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_-]+)+$", max_length=128)] = "/catalogue"
    """Path on the service's host: below it are catalogue.rdf, catalogue.jsonld, the records, and services.json."""
    resources: ResourceRequirements = ResourceRequirements()
    """What the pod that serves them may take."""


class Ckan(Model):
    """A CKAN, through its action API."""

    url: Annotated[str, Field(pattern=rf"^https://[A-Za-z0-9.-]+{PORT_PATTERN}(/[A-Za-z0-9_.-]+)*$", max_length=512)]
    """Where it is, without a slash at its end, such as https://opendata.hamburg.example."""
    organization: Annotated[str, Field(pattern=r"^[a-z0-9_-]{2,100}$", max_length=100)]
    """Name of the organization that the entries belong to, as it stands in the address of its page."""
    credentials_secret_ref: SecretReference
    """Secret with the key token: an API token of an editor of the organization; and ca.crt, where the CKAN's CA is a
    private one."""
    name_prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)] | None = None
    """With what the names of entries begin, which stand in the addresses of their pages; the service's name where it is
    not given."""


class PublishingTarget(Model):
    """A catalogue in which each dataset has an entry."""

    model_config = rules(
        cel(
            "(self.type == 'CKAN') == has(self.ckan)",
            "ckan belongs to type CKAN, and is required there",
            field_path=".ckan",
        ),
    )

    name: ObjectName
    """What it is called here."""
    type: Literal["CKAN"]
    """What it is."""
    ckan: Ckan | None = None
    """The CKAN of type CKAN."""


class Catalogue(Model):
    """How the service and its data are described: DCAT-AP.de, ISO 19139, and layers for the Masterportal."""

    model_config = rules(
        cel(
            "has(self.inspire) || self.datasets.all(group, !has(group.layers) || group.layers.all(layer, "
            f"!has(layer.localId) || layer.localId.matches('{UUID}')))",
            "without inspire, which gives it a namespace, a localId is a UUID in lower case",
            field_path=".datasets",
        ),
        cel(
            "!has(self.targets) || self.targets.all(one, !has(one.ckan) || "
            "self.targets.exists_one(other, has(other.ckan) && other.ckan.url == one.ckan.url))",
            "each catalogue is named once: two targets have the same url",
            field_path=".targets",
        ),
    )

    title: Title
    """Title of the service."""
    description: Description
    """What the data is, and whom it is for."""
    publisher: Publisher
    """Who publishes the data."""
    contact: Contact
    """Whom to ask about it."""
    licence: Licence
    """Under which terms it may be used."""
    contributor_id: Annotated[str, Field(alias="contributorID", pattern=r"^[A-Za-z0-9_-]+$", max_length=128)]
    """Who hands the description on to GovData: what stands after http://dcat-ap.de/def/contributors/, such as
    transparenzportalHamburg."""
    themes: Annotated[Themes, Field(min_length=1)]
    """EU data themes."""
    political_geocoding: PoliticalGeocoding
    """What the data covers."""
    spatial: BoundingBox | None = None
    """The area of the data; the least that holds the Locations of its Things where it is not given."""
    language: Literal["de", "en"] = "de"
    """Language of the data."""
    accrual_periodicity: Frequency = "CONT"
    """How often data comes, in the words of the EU's table of frequencies."""
    keywords: Keywords = Field(default_factory=list)
    """Words to find the descriptions by."""
    landing_page: WebAddress | None = None
    """A page about the data."""
    csw: WebAddress | None = None
    """The catalogue service (CSW) that has the ISO records, by which a service's record leads to those of its data,
    such as https://metaver.de/csw."""
    record_id: RecordId | None = None
    """Identifier of the service's record, where there is one already; else it is made of the service's name."""
    inspire: Inspire | None = None
    """Identifiers of GDI-DE, and INSPIRE's theme; identifiers are UUIDs where it is not given."""
    datasets: Annotated[
        list[DatastreamGroup],
        Field(
            min_length=1,
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["serviceName"]},
        ),
    ]
    """Which Datastreams are described, by Hamburg's convention of serviceName and layerName in their properties."""
    endpoint: Endpoint | None = None
    """Serves the descriptions to harvesters by HTTP, on the service's host; not served where it is not given."""
    targets: Annotated[
        list[PublishingTarget],
        Field(
            max_length=4,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list)
    """Catalogues in which each dataset gets an entry."""
