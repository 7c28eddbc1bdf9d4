"""URIs of the codes that descriptions use. Of DCAT-AP.de, the EU's authority tables and ADMS."""

from typing import Final

from sensorthings_operator.api.catalogue import PoliticalGeocoding
from sensorthings_operator.desired.catalogue.description import Described

AUTHORITY: Final = "http://publications.europa.eu/resource/authority/"
LICENCES: Final = "http://dcat-ap.de/def/licenses/"
CONTRIBUTORS: Final = "http://dcat-ap.de/def/contributors/"
_GEOCODING: Final = "http://dcat-ap.de/def/politicalGeocoding/"
PUBLISHER_TYPES: Final = "http://purl.org/adms/publishertype/"
_KEY_BY_LENGTH: Final = {
    2: "stateKey",
    3: "governmentDistrictKey",
    5: "districtKey",
    8: "municipalityKey",
    12: "regionalKey",
}
_LANGUAGES: Final = {"de": "DEU", "en": "ENG"}


def language_of(described: Described) -> str:
    """The EU's URI of the data's language."""
    return f"{AUTHORITY}language/{_LANGUAGES[described.spec.language]}"


def rights_of(described: Described) -> str:
    """The EU's URI for who may read."""
    return f"{AUTHORITY}access-right/{'PUBLIC' if described.public else 'RESTRICTED'}"


def level_of(geocoding: PoliticalGeocoding) -> str:
    """The URI of the level of administration."""
    return f"{_GEOCODING}Level/{geocoding.level}"


def place_of(geocoding: PoliticalGeocoding) -> str | None:
    """The URI of the unit of administration, where one is named."""
    if geocoding.key is None:
        return None
    return f"{_GEOCODING}{_KEY_BY_LENGTH[len(geocoding.key)]}/{geocoding.key}"
