"""Identifiers by the rules of GDI-DE and GDI-Hessen. Part of a SensorThingsService's ``spec.catalogue``."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from sensorthings_operator.api.base import Model, cel, rules
from sensorthings_operator.api.vocabularies import InspireTheme

LOCAL_ID: Final = r"^[A-Za-z0-9_.-]+$"
"""Characters of INSPIRE's generic conceptual model."""
LocalId = Annotated[str, Field(pattern=LOCAL_ID, max_length=128)]
"""The part of an identifier that its owner gives out: letters without umlauts, digits, _ . and -."""


class State(NamedTuple):
    """A state of Germany."""

    nuts: str
    """NUTS 1 code, with which those of its regions begin."""
    key: str
    """Official key, with which those of its municipalities begin."""


STATES: Final[Mapping[str, State]] = {
    "de.bw": State("DE1", "08"),
    "de.by": State("DE2", "09"),
    "de.be": State("DE3", "11"),
    "de.bb": State("DE4", "12"),
    "de.hb": State("DE5", "04"),
    "de.hh": State("DE6", "02"),
    "de.he": State("DE7", "06"),
    "de.mv": State("DE8", "13"),
    "de.ni": State("DE9", "03"),
    "de.nw": State("DEA", "05"),
    "de.rp": State("DEB", "07"),
    "de.sl": State("DEC", "10"),
    "de.sn": State("DED", "14"),
    "de.st": State("DEE", "15"),
    "de.sh": State("DEF", "01"),
    "de.th": State("DEG", "16"),
}
"""By the namespace that GDI-DE gives to each."""


def _by_state(field: Literal["nuts", "key"]) -> str:
    """A map in CEL from a state's namespace."""
    entries = ", ".join(f"'{domain}': '{getattr(state, field)}'" for domain, state in STATES.items())
    return f"{{{entries}}}"


class Origin(Model):
    """Where the data comes from, as GDI-Hessen writes it into a namespace."""

    model_config = rules(
        cel(
            "(self.category == 'NUTS' && self.code.matches('^DE[0-9A-G][0-9A-Z]{0,2}$')) || "
            "(self.category == 'LAU' && self.code.matches('^[0-9]{8}$')) || "
            "(self.category == 'Office' && self.code.matches('^[0-9]{1,16}$')) || "
            "(self.category == 'INST' && self.code.matches('^[A-Za-z0-9_-]+$'))",
            "a NUTS code is DE with 1 to 3 characters, such as DE71; LAU is the municipality's key of 8 digits; "
            "an Office has a number; INST is the institution's code of letters, digits, _ and -",
            field_path=".code",
        ),
    )

    category: Literal["NUTS", "LAU", "Office", "INST"]
    """NUTS rather than LAU, and LAU rather than INST; Office: a state's office."""
    code: Annotated[str, Field(min_length=1, max_length=32)]
    """Code of the NUTS region, key of the municipality, number of the office, or code of the institution."""
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", min_length=1, max_length=32)]
    """The data's source, in a word of its own."""


class Inspire(Model):
    """Identifiers by the rules of GDI-DE, and the theme of INSPIRE."""

    model_config = rules(
        cel(
            f"!has(self.origin) || self.domain in {_by_state('nuts')}",
            "origin stands after the namespace of a state and nothing below it, such as de.he",
            field_path=".domain",
        ),
        cel(
            "!has(self.origin) || self.origin.category != 'NUTS' || "
            f"!(self.domain in {_by_state('nuts')}) || self.origin.code.startsWith({_by_state('nuts')}[self.domain])",
            "a NUTS code lies in the state of the domain: those of de.he begin with DE7",
            field_path=".origin.code",
        ),
        cel(
            "!has(self.origin) || self.origin.category != 'LAU' || "
            f"!(self.domain in {_by_state('key')}) || self.origin.code.startsWith({_by_state('key')}[self.domain])",
            "a municipality lies in the state of the domain: keys of de.he begin with 06",
            field_path=".origin.code",
        ),
    )

    theme: InspireTheme
    """Theme of INSPIRE's annexes, such as tn (transport networks) or ef (environmental monitoring facilities)."""
    domain: Annotated[
        str,
        Field(pattern=r"^de\.(bund|bw|by|be|bb|hb|hh|he|mv|ni|nw|rp|sl|sn|st|sh|th)(\.[a-z0-9_-]+)*$", max_length=128),
    ]
    """Namespace that the publisher registered at registry.gdi-de.org, without https://registry.gdi-de.org/id/, such as
    de.hh or de.nw.kommune."""
    origin: Origin | None = None
    """What GDI-Hessen appends to the namespace."""
