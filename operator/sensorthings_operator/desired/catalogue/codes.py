"""What codes of the API are called elsewhere: in ISO 19115, in GEMET, and in German.

INSPIRE's themes are those of directive 2007/2/EC, annexes I to III. Used by ``iso`` and ``masterportal``.
"""

from collections.abc import Mapping
from typing import Final

from sensorthings_operator.api.vocabularies import Frequency, InspireTheme, LicenceId, Theme

THEMES: Final[Mapping[Theme, str]] = {
    "AGRI": "Landwirtschaft, Fischerei, Forstwirtschaft und Nahrungsmittel",
    "ECON": "Wirtschaft und Finanzen",
    "EDUC": "Bildung, Kultur und Sport",
    "ENER": "Energie",
    "ENVI": "Umwelt",
    "GOVE": "Regierung und öffentlicher Sektor",
    "HEAL": "Gesundheit",
    "INTR": "Internationale Themen",
    "JUST": "Justiz, Rechtssystem und öffentliche Sicherheit",
    "REGI": "Regionen und Städte",
    "SOCI": "Bevölkerung und Gesellschaft",
    "TECH": "Wissenschaft und Technologie",
    "TRAN": "Verkehr",
}
"""The EU's themes in German."""
TOPICS: Final[Mapping[Theme, str]] = {
    "AGRI": "farming",
    "ECON": "economy",
    "EDUC": "society",
    "ENER": "utilitiesCommunication",
    "ENVI": "environment",
    "GOVE": "society",
    "HEAL": "health",
    "INTR": "boundaries",
    "JUST": "society",
    "REGI": "boundaries",
    "SOCI": "society",
    "TECH": "geoscientificInformation",
    "TRAN": "transportation",
}
"""ISO's topic that is nearest to an EU theme."""
MAINTENANCE: Final[Mapping[Frequency, str]] = {
    "CONT": "continual",
    "UPDATE_CONT": "continual",
    "DAILY": "daily",
    "DAILY_2": "daily",
    "WEEKLY": "weekly",
    "WEEKLY_2": "weekly",
    "WEEKLY_3": "weekly",
    "BIWEEKLY": "fortnightly",
    "MONTHLY": "monthly",
    "QUARTERLY": "quarterly",
    "ANNUAL": "annually",
    "ANNUAL_2": "biannually",
    "AS_NEEDED": "asNeeded",
    "IRREG": "irregular",
    "NEVER": "notPlanned",
}
"""ISO's frequency that is nearest to one of the EU's; ``unknown`` for the others."""
INSPIRE_THEMES: Final[Mapping[InspireTheme, str]] = {
    "rs": "Koordinatenreferenzsysteme",
    "gg": "Geografische Gittersysteme",
    "gn": "Geografische Bezeichnungen",
    "au": "Verwaltungseinheiten",
    "ad": "Adressen",
    "cp": "Flurstücke/Grundstücke (Katasterparzellen)",
    "tn": "Verkehrsnetze",
    "hy": "Gewässernetz",
    "ps": "Schutzgebiete",
    "el": "Höhe",
    "lc": "Bodenbedeckung",
    "oi": "Orthofotografie",
    "ge": "Geologie",
    "su": "Statistische Einheiten",
    "bu": "Gebäude",
    "so": "Boden",
    "lu": "Bodennutzung",
    "hh": "Gesundheit und Sicherheit",
    "us": "Versorgungswirtschaft und staatliche Dienste",
    "ef": "Umweltüberwachung",
    "pf": "Produktions- und Industrieanlagen",
    "af": "Landwirtschaftliche Anlagen und Aquakulturanlagen",
    "pd": "Verteilung der Bevölkerung — Demografie",
    "am": "Bewirtschaftungsgebiete/Schutzgebiete/geregelte Gebiete und Berichterstattungseinheiten",
    "nz": "Gebiete mit naturbedingten Risiken",
    "ac": "Atmosphärische Bedingungen",
    "mf": "Meteorologisch-geografische Kennwerte",
    "of": "Ozeanografisch-geografische Kennwerte",
    "sr": "Meeresregionen",
    "br": "Biogeografische Regionen",
    "hb": "Lebensräume und Biotope",
    "sd": "Verteilung der Arten",
    "er": "Energiequellen",
    "mr": "Mineralische Bodenschätze",
}
"""INSPIRE's themes in German."""
LICENCES: Final[Mapping[LicenceId, tuple[str, str]]] = {
    "dl-by-de/2.0": ("Datenlizenz Deutschland Namensnennung 2.0", "https://www.govdata.de/dl-de/by-2-0"),
    "dl-zero-de/2.0": ("Datenlizenz Deutschland Zero 2.0", "https://www.govdata.de/dl-de/zero-2-0"),
    "cc-by/4.0": ("Creative Commons Namensnennung 4.0 International", "https://creativecommons.org/licenses/by/4.0/"),
    "cc-by-sa/4.0": (
        "Creative Commons Namensnennung, Weitergabe unter gleichen Bedingungen 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/",
    ),
    "cc-zero": ("Creative Commons CC Zero 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
}
"""Names and texts of the licences that most open data has; the others are told by their codes."""
