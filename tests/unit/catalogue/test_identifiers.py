"""Identifiers by the rules of GDI-DE and GDI-Hessen: each rule with what passes and what does not."""

import re
from copy import deepcopy
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.api.inspire import STATES, Inspire
from sensorthings_operator.api.parse import InvalidSpec
from sensorthings_operator.cli.validate import validated
from sensorthings_operator.desired.catalogue.identifiers import namespace, object_identifier, uuid_of
from tests.unit.api.examples import SMALL_SERVICE, patched
from tests.unit.catalogue.catalogued import CATALOGUE, EXPOSED, described

_ID: Final = "https://registry.gdi-de.org/id/"
_HESSE: Final = {"theme": "tn", "domain": "de.he"}


def _origin(category: str, code: str, source: str = "ampeln") -> dict[str, Any]:
    return {**_HESSE, "origin": {"category": category, "code": code, "source": source}}


def _validated(inspire: dict[str, Any] | None, **catalogue: Any) -> None:
    spec = deepcopy({**CATALOGUE, **catalogue, "inspire": inspire})
    validated(patched(SMALL_SERVICE, {"spec": {**EXPOSED, "catalogue": spec}}))


@pytest.mark.parametrize(
    ("inspire", "expected"),
    [
        ({"theme": "tn", "domain": "de.hh"}, "de.hh"),
        ({"theme": "hy", "domain": "de.bund.wsv"}, "de.bund.wsv"),
        ({"theme": "tn", "domain": "de.nw.kommune-1"}, "de.nw.kommune-1"),
        (_origin("NUTS", "DE7"), "de.he.NUTS.DE7.tn.ampeln"),
        (_origin("NUTS", "DE71"), "de.he.NUTS.DE71.tn.ampeln"),
        (_origin("NUTS", "DE711"), "de.he.NUTS.DE711.tn.ampeln"),
        (_origin("LAU", "06411000"), "de.he.LAU.06411000.tn.ampeln"),
        (_origin("Office", "5201"), "de.he.5201.DE7.tn.ampeln"),
        (_origin("INST", "HLNUG"), "de.he.INST.HLNUG.tn.ampeln"),
        (_origin("INST", "HLNUG", "s" * 32), f"de.he.INST.HLNUG.tn.{'s' * 32}"),
        ({**_origin("NUTS", "DEA2"), "domain": "de.nw"}, "de.nw.NUTS.DEA2.tn.ampeln"),
    ],
)
def test_what_the_rules_allow(inspire: dict[str, Any], expected: str) -> None:
    _validated(inspire)
    assert namespace(Inspire.model_validate(inspire)) == _ID + expected


@pytest.mark.parametrize(
    ("inspire", "path"),
    [
        pytest.param({"theme": "tn", "domain": "de.xx"}, "domain", id="no such state"),
        pytest.param({"theme": "tn", "domain": "hh"}, "domain", id="without de"),
        pytest.param({"theme": "tn", "domain": "de.HH"}, "domain", id="upper case"),
        pytest.param({"theme": "tn", "domain": "de.hh."}, "domain", id="ends with a dot"),
        pytest.param({"theme": "tn", "domain": f"{_ID}de.hh"}, "domain", id="whole namespace"),
        pytest.param({"theme": "traffic", "domain": "de.hh"}, "theme", id="no such theme"),
        pytest.param({"domain": "de.hh"}, "theme", id="no theme"),
        pytest.param(_origin("NUTS", "FR71"), "origin.code", id="not of Germany"),
        pytest.param(_origin("NUTS", "DE7111"), "origin.code", id="NUTS too long"),
        pytest.param(_origin("NUTS", "DEA2"), "origin.code", id="NUTS of another state"),
        pytest.param(_origin("LAU", "6411000"), "origin.code", id="LAU too short"),
        pytest.param(_origin("LAU", "05315000"), "origin.code", id="LAU of another state"),
        pytest.param(_origin("Office", "HLNUG"), "origin.code", id="office without a number"),
        pytest.param(_origin("INST", "Umwelt Amt"), "origin.code", id="institution with a blank"),
        pytest.param(_origin("Land", "DE7"), "origin.category", id="no such category"),
        pytest.param(_origin("INST", "HLNUG", "s" * 33), "origin.source", id="source too long"),
        pytest.param(_origin("INST", "HLNUG", ""), "origin.source", id="no source"),
        pytest.param(_origin("INST", "HLNUG", "a.b"), "origin.source", id="source with a dot"),
        pytest.param({**_origin("INST", "BSH"), "domain": "de.bund"}, "domain", id="origin below the federation"),
        pytest.param({**_origin("NUTS", "DE71"), "domain": "de.he.hvbg"}, "domain", id="origin below a name"),
    ],
)
def test_what_the_rules_refuse(inspire: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidSpec) as error:
        _validated(inspire)
    assert {problem.path for problem in error.value.problems} == {f"spec.catalogue.inspire.{path}"}


def test_every_state_has_its_own_codes() -> None:
    assert len(STATES) == 16
    assert sorted(state.key for state in STATES.values()) == [f"{number:02}" for number in range(1, 17)]
    assert sorted(state.nuts for state in STATES.values()) == [f"DE{code}" for code in "123456789ABCDEFG"]


@pytest.mark.parametrize("local_id", ["a", "A-1_b.c", "7f3c0000-0000-4000-8000-000000000001"])
def test_local_identifiers(local_id: str) -> None:
    assert object_identifier(f"{_ID}de.hh", local_id) == f"{_ID}de.hh/{local_id}"
    assert object_identifier(f"{_ID}de.hh", local_id, "2026-11-23T12:00:00Z").endswith(
        f"/{local_id}/2026-11-23T12:00:00Z"
    )
    _validated({"theme": "tn", "domain": "de.hh"}, datasets=_with({"localId": local_id}))


@pytest.mark.parametrize("local_id", ["", "ä", "a b", "a/b", "a,b", "a(b)", "a#b"])
def test_what_no_local_identifier_is(local_id: str) -> None:
    with pytest.raises(ValueError, match="localId"):
        object_identifier(f"{_ID}de.hh", local_id)
    with pytest.raises(InvalidSpec):
        _validated({"theme": "tn", "domain": "de.hh"}, datasets=_with({"localId": local_id}))


def test_a_version_has_25_characters_at_most() -> None:
    assert object_identifier("n", "a", "2026-11-23T12:00:00+01:00").endswith("+01:00")
    with pytest.raises(ValueError, match="25 characters"):
        object_identifier("n", "a", "2026-11-23T12:00:00.0+01:00")


def _with(layer: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"serviceName": "HH_STA_air", "layers": [{"layerName": "no2", **layer}]}]


def test_without_a_namespace_a_local_identifier_is_a_uuid() -> None:
    given = "7f3c0000-0000-4000-8000-000000000001"
    _validated(None, datasets=_with({"localId": given}))
    with pytest.raises(InvalidSpec, match="UUID"):
        _validated(None, datasets=_with({"localId": "no2"}))
    made = described({"inspire": None, "datasets": _with({"localId": given, "recordId": given})}).datasets[0]
    assert (made.identifier, made.record_id) == (f"urn:uuid:{given}", given)


def test_what_is_made_of_the_names_stays_the_same() -> None:
    """Over versions of the operator: whoever changes this breaks every link to a dataset."""
    assert uuid_of("air.city.example", "HH_STA_air", "no2") == "758ebc6f-9e65-534a-bba8-e3353086e8e0"
    assert described().datasets[0].identifier == f"{_ID}de.hh/{uuid_of('air.city.example', 'HH_STA_air', 'no2')}"


@given(st.lists(st.text(max_size=5), min_size=1, max_size=3), st.lists(st.text(max_size=5), min_size=1, max_size=3))
def test_other_names_make_another_identifier(names: list[str], others: list[str]) -> None:
    assert (uuid_of(*names) == uuid_of(*others)) == (names == others)
    assert UUID(uuid_of(*names)).version == 5
    assert re.fullmatch(r"[0-9a-f-]{36}", uuid_of(*names))
