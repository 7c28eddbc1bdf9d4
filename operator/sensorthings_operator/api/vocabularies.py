"""Codes that DCAT-AP.de, the EU's authority tables and INSPIRE allow. Used by the types of ``spec.catalogue``.

Licences: http://dcat-ap.de/def/licenses; themes, frequencies: http://publications.europa.eu/resource/authority;
levels: http://dcat-ap.de/def/politicalGeocoding/Level; publishers: http://purl.org/adms/publishertype/1.0;
INSPIRE's themes: http://inspire.ec.europa.eu/theme.
"""

from typing import Literal

LicenceId = Literal[
    "dl-by-de/2.0",
    "dl-zero-de/2.0",
    "cc-by/4.0",
    "cc-zero",
    "cc-by-sa/4.0",
    "geonutz/20130319",
    "geoNutz/20131001",
    "officialWork",
    "apache",
    "bsd",
    "cc-by",
    "cc-by-de/3.0",
    "cc-by-nc",
    "cc-by-nc-de/3.0",
    "cc-by-nc/4.0",
    "cc-by-nd",
    "cc-by-nd/3.0",
    "cc-by-nd/4.0",
    "cc-by-sa",
    "cc-by-sa-de/3.0",
    "ccpdm/1.0",
    "dl-by-de/1.0",
    "dl-by-nc-de/1.0",
    "gfdl",
    "gpl/3.0",
    "mozilla",
    "odbl",
    "odby",
    "odcpddl",
    "other-closed",
    "other-commercial",
    "other-freeware",
    "other-open",
    "other-opensource",
]
"""What stands after http://dcat-ap.de/def/licenses/."""
Theme = Literal["AGRI", "ECON", "EDUC", "ENER", "ENVI", "GOVE", "HEAL", "INTR", "JUST", "REGI", "SOCI", "TECH", "TRAN"]
"""An EU data theme."""
Frequency = Literal[
    "CONT",
    "UPDATE_CONT",
    "DAILY",
    "DAILY_2",
    "WEEKLY",
    "WEEKLY_2",
    "WEEKLY_3",
    "BIWEEKLY",
    "MONTHLY",
    "MONTHLY_2",
    "MONTHLY_3",
    "BIMONTHLY",
    "QUARTERLY",
    "ANNUAL",
    "ANNUAL_2",
    "ANNUAL_3",
    "AS_NEEDED",
    "IRREG",
    "NEVER",
    "OTHER",
    "UNKNOWN",
]
"""An EU frequency."""
GeocodingLevel = Literal["international", "european", "federal", "state", "administrativeDistrict", "municipality"]
"""A level of political geocoding."""
PublisherType = Literal[
    "LocalAuthority",
    "RegionalAuthority",
    "NationalAuthority",
    "SupraNationalAuthority",
    "Academia-ScientificOrganisation",
    "Company",
    "IndustryConsortium",
    "NonGovernmentalOrganisation",
    "NonProfitOrganisation",
    "PrivateIndividual(s)",
    "StandardisationBody",
]
"""A type of publisher, of ADMS."""
InspireTheme = Literal[
    "ac",
    "ad",
    "af",
    "am",
    "au",
    "br",
    "bu",
    "cp",
    "ef",
    "el",
    "er",
    "ge",
    "gg",
    "gn",
    "hb",
    "hh",
    "hy",
    "lc",
    "lu",
    "mf",
    "mr",
    "nz",
    "of",
    "oi",
    "pd",
    "pf",
    "ps",
    "rs",
    "sd",
    "so",
    "sr",
    "su",
    "tn",
    "us",
]
"""A theme of INSPIRE's annexes I to III, by its code in the theme register."""
