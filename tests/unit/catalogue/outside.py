"""Shapes and vocabularies of DCAT-AP.de 3.0, which are data of others and no part of this project.

They lie in the folder ``dcat-ap-de`` below the one that SENSORTHINGS_OUTSIDE_DATA names, else below ``../shared/data``:
the SHACL files of GovDataOfficial/DCAT-AP.de-SHACL-Validation (v3.0/shapes) and SEMICeu/DCAT-AP (3.0.0), and
``inscheme.nt`` with who is in which vocabulary. Where they are absent, tests that need them are skipped, and say so.
"""

import os
from functools import cache
from pathlib import Path
from typing import Final

import pyshacl
import pytest
from rdflib import Graph
from rdflib.namespace import SH

_ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = Path(os.environ.get("SENSORTHINGS_OUTSIDE_DATA") or _ROOT.parent / "shared" / "data") / "dcat-ap-de"
VOCABULARIES: Final = FOLDER / "inscheme.nt"
_SHAPES: Final = (
    "dcat-ap-SHACL.ttl",
    "dcat-ap-SHACL-DE.ttl",
    "dcat-ap-de-deprecated.ttl",
    "dcat-ap-spec-german-additions.ttl",
    "dcat-ap-de-controlledvocabularies.ttl",
)

needs_outside_data = pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in (*_SHAPES, VOCABULARIES.name)),
    reason="the shapes of DCAT-AP.de 3.0 are not here: set SENSORTHINGS_OUTSIDE_DATA (tests/unit/catalogue/outside.py)",
)


@cache
def _shapes() -> Graph:
    shapes = Graph()
    for name in _SHAPES:
        shapes.parse(FOLDER / name)
    return shapes


@cache
def vocabularies() -> Graph:
    """Which code is in which vocabulary."""
    return Graph().parse(VOCABULARIES)


def shape_violations(graph: Graph) -> list[str]:
    """What the shapes find wrong with a description, warnings left out."""
    # The shapes ask the data itself whether a code is in its vocabulary.
    data = Graph()
    for triples in (graph, vocabularies()):
        for triple in triples:
            data.add(triple)
    _, report, _ = pyshacl.validate(
        data, shacl_graph=_shapes(), inference="none", do_owl_imports=False, allow_warnings=True
    )
    assert isinstance(report, Graph)
    found = report.subjects(SH.resultSeverity, SH.Violation)
    return [f"{report.value(each, SH.focusNode)}: {report.value(each, SH.resultMessage)}" for each in found]
