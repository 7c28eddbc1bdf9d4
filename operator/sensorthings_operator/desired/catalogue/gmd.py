"""Elements of ISO 19139 that every record has, in the order that its schemas ask for.

GDI-DE's conventions of metadata stay with the schemas of 2006 (GML 3.2.0): the namespaces are theirs. Used by ``iso``.
"""

from collections.abc import Iterable
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker
from lxml.etree import _Element as Element

from sensorthings_operator.api.catalogue import Catalogue
from sensorthings_operator.desired.catalogue.description import plain
from sensorthings_operator.desired.reading import Box

NAMESPACES: Final = {
    "gmd": "http://www.isotc211.org/2005/gmd",
    "gco": "http://www.isotc211.org/2005/gco",
    "srv": "http://www.isotc211.org/2005/srv",
    "gml": "http://www.opengis.net/gml",
    "gmx": "http://www.isotc211.org/2005/gmx",
    "xlink": "http://www.w3.org/1999/xlink",
}
_CODES: Final = "http://standards.iso.org/iso/19139/resources/gmxCodelists.xml#"
_XLINK: Final = f"{{{NAMESPACES['xlink']}}}"
GMD: Final = ElementMaker(namespace=NAMESPACES["gmd"], nsmap=NAMESPACES)
SRV: Final = ElementMaker(namespace=NAMESPACES["srv"], nsmap=NAMESPACES)
_GCO: Final = ElementMaker(namespace=NAMESPACES["gco"], nsmap=NAMESPACES)
_GML: Final = ElementMaker(namespace=NAMESPACES["gml"], nsmap=NAMESPACES)
_GMX: Final = ElementMaker(namespace=NAMESPACES["gmx"], nsmap=NAMESPACES)
_LANGUAGES: Final = {"de": "ger", "en": "eng"}


def text(tag: str, value: str, of: ElementMaker = GMD) -> Element:
    """A property whose value is text."""
    return of(tag, _GCO.CharacterString(plain(value)))


def local_name(tag: str, value: str) -> Element:
    """A property of a service whose value is a name."""
    return SRV(tag, _GCO.LocalName(value))


def anchor(tag: str, href: str, value: str) -> Element:
    """A property whose value is text that leads somewhere."""
    return GMD(tag, _GMX.Anchor(plain(value), {f"{_XLINK}href": href}))


def code(tag: str, codelist: str, value: str) -> Element:
    """A property whose value is of a code list."""
    return GMD(tag, listed(GMD, codelist, value))


def listed(of: ElementMaker, codelist: str, value: str) -> Element:
    """A value of a code list."""
    return of(codelist, value, codeList=f"{_CODES}{codelist}", codeListValue=value)


def day(tag: str, value: str) -> Element:
    """A property whose value is a date."""
    return GMD(tag, _GCO.Date(value))


def boolean(tag: str, *, value: bool) -> Element:
    """A property whose value is true or false."""
    return GMD(tag, _GCO.Boolean("true" if value else "false"))


def link(element: Element, href: str, uuidref: str) -> Element:
    """Have an element stand for something elsewhere."""
    element.set(f"{_XLINK}href", href)
    element.set("uuidref", uuidref)
    return element


def language(spec: Catalogue) -> Element:
    """Of the data."""
    return code("language", "LanguageCode", _LANGUAGES[spec.language])


def citation(tag: str, title: str, date: str, *, kind: str = "publication", identifier: str = "") -> Element:
    """A title, and a date that it has."""
    dated = GMD.date(GMD.CI_Date(day("date", date), code("dateType", "CI_DateTypeCode", kind)))
    parts = [text("title", title), dated]
    if identifier:
        parts.append(GMD.identifier(GMD.MD_Identifier(anchor("code", identifier, identifier))))
    return GMD(tag, GMD.CI_Citation(*parts))


def online(address: str, name: str, told: str, function: str) -> Element:
    """Something on the web."""
    return GMD.CI_OnlineResource(
        GMD.linkage(GMD.URL(address)),
        text("name", name),
        text("description", told),
        code("function", "CI_OnLineFunctionCode", function),
    )


def party(tag: str, spec: Catalogue, role: str) -> Element:
    """The publisher with the contact's ways to be reached."""
    contact = spec.contact
    ways = []
    if contact.phone is not None:
        ways.append(GMD.phone(GMD.CI_Telephone(text("voice", contact.phone))))
    if contact.mail is not None:
        ways.append(GMD.address(GMD.CI_Address(text("electronicMailAddress", contact.mail))))
    if contact.homepage is not None:
        ways.append(GMD.onlineResource(GMD.CI_OnlineResource(GMD.linkage(GMD.URL(contact.homepage)))))
    parts = [text("organisationName", spec.publisher.name)]
    if contact.name is not None:
        parts.append(text("positionName", contact.name))
    parts.append(GMD.contactInfo(GMD.CI_Contact(*ways)))
    return GMD(tag, GMD.CI_ResponsibleParty(*parts, code("role", "CI_RoleCode", role)))


def keywords(words: Iterable[str], thesaurus: str = "", date: str = "") -> list[Element]:
    """Keywords of one thesaurus, or free ones; nothing where there are none."""
    made = [text("keyword", word) for word in words]
    if not made:
        return []
    made.append(code("type", "MD_KeywordTypeCode", "theme"))
    if thesaurus:
        made.append(citation("thesaurusName", thesaurus, date))
    return [GMD.descriptiveKeywords(GMD.MD_Keywords(*made))]


def box(around: Box) -> Element:
    """A part of the earth."""
    sides = (
        ("westBoundLongitude", around.west),
        ("eastBoundLongitude", around.east),
        ("southBoundLatitude", around.south),
        ("northBoundLatitude", around.north),
    )
    bounds = [GMD(tag, _GCO.Decimal(f"{value:g}")) for tag, value in sides]
    return GMD.geographicElement(GMD.EX_GeographicBoundingBox(*bounds))


def period(first: str, last: str) -> Element:
    """From one day to another."""
    made = _GML.TimePeriod(_GML.beginPosition(first), _GML.endPosition(last), {f"{{{NAMESPACES['gml']}}}id": "period"})
    return GMD.temporalElement(GMD.EX_TemporalExtent(GMD.extent(made)))


def written(record: Element) -> str:
    """A record as a document."""
    etree.cleanup_namespaces(record, keep_ns_prefixes=["gmd", "gco"])
    etree.indent(record, space=" ")
    return etree.tostring(record, xml_declaration=True, encoding="UTF-8").decode() + "\n"
