"""Entries of a CKAN: fields of its own, and extras by the names that ckanext-dcat and GovData's ckanext-dcatde read.

https://docs.ckan.org/projects/ckanext-dcat/en/latest/mapping/. So the portal's own DCAT says what ours does.
"""

import json
import re
from typing import Any, Final

from sensorthings_operator.desired.catalogue import uris, ways
from sensorthings_operator.desired.catalogue.description import Dataset, Described, plain
from sensorthings_operator.desired.catalogue.entries import Entry
from sensorthings_operator.desired.metadata import digest
from sensorthings_operator.desired.reading import Box

_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9_-]+")
_LONGEST_NAME: Final = 100
_NOT_IN_TAGS: Final = re.compile(r"[^\w .-]+")
_SHORTEST_TAG, _LONGEST_TAG = 2, 100


def entries(described: Described, prefix: str) -> tuple[Entry, ...]:
    """An entry for each dataset; ``prefix`` begins their names."""
    return tuple(_entry(described, dataset, prefix) for dataset in described.datasets)


def name(prefix: str, key: str) -> str:
    """A name that CKAN takes; one that could not stay as it is ends with a hash of what it was."""
    wanted = f"{prefix}-{key}"
    slug = _NOT_IN_NAMES.sub("-", wanted.lower())
    if slug == wanted and len(slug) <= _LONGEST_NAME:
        return slug
    mark = digest(wanted, length=8)
    return f"{slug[: _LONGEST_NAME - len(mark) - 1]}-{mark}"


def tags(words: tuple[str, ...]) -> list[str]:
    """Keywords as CKAN's tags: letters, digits, blanks, hyphens, underscores and dots."""
    cleaned = (" ".join(_NOT_IN_TAGS.sub(" ", word).split())[:_LONGEST_TAG].strip() for word in words)
    return sorted({word for word in cleaned if len(word) >= _SHORTEST_TAG})


def _entry(described: Described, dataset: Dataset, prefix: str) -> Entry:
    spec, contact = described.spec, described.spec.contact
    fields: dict[str, Any] = {
        "title": dataset.title["de"],
        "notes": dataset.description["de"],
        "url": dataset.landing_page or "",
        "license_id": uris.LICENCES + spec.licence.id,
        "author": plain(spec.publisher.name),
        "author_email": spec.publisher.mail or "",
        "maintainer": plain(contact.name or spec.publisher.name),
        "maintainer_email": contact.mail or "",
        "private": False,
        "tags": tags(dataset.keywords),
        "extras": {key: value for key, value in _extras(described, dataset).items() if value},
        "resources": [_resource(described, each) for each in ways.distributions(described, dataset)],
    }
    key = digest([dataset.summary.service_name, dataset.summary.layer_name], length=32)
    return Entry(key, name(prefix, dataset.key), json.dumps(fields, sort_keys=True, ensure_ascii=False))


def _extras(described: Described, dataset: Dataset) -> dict[str, str]:
    spec, summary = described.spec, dataset.summary
    page = described.document(dataset.record_file)
    geocoding = uris.place_of(spec.political_geocoding)
    return {
        "uri": dataset.identifier,
        "identifier": dataset.identifier,
        "modified": summary.last or described.day,
        "publisher_name": plain(spec.publisher.name),
        "publisher_email": spec.publisher.mail or "",
        "publisher_url": spec.publisher.homepage or "",
        "publisher_type": uris.PUBLISHER_TYPES + spec.publisher.type,
        "contact_name": plain(spec.contact.name or spec.publisher.name),
        "contact_email": spec.contact.mail or "",
        "theme": json.dumps([f"{uris.AUTHORITY}data-theme/{theme}" for theme in dataset.themes]),
        "language": json.dumps([uris.language_of(described)]),
        "frequency": f"{uris.AUTHORITY}frequency/{spec.accrual_periodicity}",
        "access_rights": uris.rights_of(described),
        "temporal_start": summary.first or "",
        "temporal_end": summary.last if summary.first else "",
        "spatial": "" if dataset.box is None else _polygon(dataset.box),
        "documentation": "" if page is None else json.dumps([page]),
        "contributorID": json.dumps([uris.CONTRIBUTORS + spec.contributor_id]),
        "politicalGeocodingLevelURI": json.dumps([uris.level_of(spec.political_geocoding)]),
        "politicalGeocodingURI": "" if geocoding is None else json.dumps([geocoding]),
    }


def _polygon(box: Box) -> str:
    ring = [(box.west, box.south), (box.east, box.south), (box.east, box.north), (box.west, box.north)]
    return json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


def _resource(described: Described, distribution: ways.Distribution) -> dict[str, str]:
    _, title, description, address = distribution
    licence = described.spec.licence
    made = {
        "name": title["de"],
        "description": description["de"],
        "url": address,
        "format": "JSON",
        "mimetype": "application/json",
        "license": uris.LICENCES + licence.id,
        "availability": f"{uris.AUTHORITY}planned-availability/AVAILABLE",
    }
    attribution = {} if licence.attribution is None else {"licenseAttributionByText": plain(licence.attribution)}
    return {**made, **attribution}
