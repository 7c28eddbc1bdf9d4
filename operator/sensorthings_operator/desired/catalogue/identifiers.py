"""Identifiers of datasets and of INSPIRE's spatial objects, by the rules of GDI-DE and GDI-Hessen.

GDI-DE: ``https://registry.gdi-de.org/id/DOMAIN/LOCALID[/VERSION]``, where DOMAIN is ``de.`` with ``bund`` or a state,
and names registered below it (https://wiki.gdi-de.org, pages 60981269 and 487096339). GDI-Hessen:
``DOMAIN.CATEGORY.CODE.THEME.SOURCE`` in place of the DOMAIN. INSPIRE: regulation (EU) 1089/2010, articles 9 and 10.
"""

import json
import re
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.api.inspire import LOCAL_ID, STATES, Inspire

REGISTRY: Final = "https://registry.gdi-de.org/id/"
_LONGEST_VERSION: Final = 25
_OURS: Final = uuid5(NAMESPACE_DNS, GROUP)
"""Namespace of the names that UUIDs are made of (RFC 9562, section 5.5)."""


def uuid_of(*names: str) -> str:
    """The same UUID for the same names, wherever and whenever."""
    return str(uuid5(_OURS, json.dumps(names)))


def namespace(inspire: Inspire) -> str:
    """The namespace of INSPIRE's identifiers."""
    origin = inspire.origin
    if origin is None:
        return f"{REGISTRY}{inspire.domain}"
    category: str = origin.category
    code = origin.code
    if origin.category == "Office":
        # The number stands for the category, and the state for the code.
        category, code = origin.code, STATES[inspire.domain].nuts
    return f"{REGISTRY}{inspire.domain}.{category}.{code}.{inspire.theme}.{origin.source}"


def object_identifier(namespace: str, local_id: str, version_id: str = "") -> str:
    """The identifier of an object or a dataset as GDI-DE writes it.

    Raises:
        ValueError: A part has characters or a length that INSPIRE does not allow.
    """
    if not re.fullmatch(LOCAL_ID, local_id):
        raise ValueError(f"localId must be of letters without umlauts, digits, _ . and -, and is {local_id!r}")
    if len(version_id) > _LONGEST_VERSION:
        raise ValueError(f"versionId must have at most {_LONGEST_VERSION} characters, and has {len(version_id)}")
    return "/".join(part for part in (namespace, local_id, version_id) if part)
