"""The files that Grafana reads: what the code makes, with every query in a panel and every panel in its place."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dashboards import __main__ as generator
from dashboards import asked, queries
from dashboards.query import METRICS_SINCE, Source
from sensorthings_operator.desired.versions import VERSIONS

FOLDER: Final = Path(generator.__file__).parent
Made = dict[str, Any]
DASHBOARDS: Final[dict[str, Made]] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
_VARIABLES: Final = {"namespace": asked.NAMESPACES, "service": asked.SERVICE_NAMES}
_each: Final = pytest.mark.parametrize("made", DASHBOARDS.values(), ids=DASHBOARDS.keys())


def _panels(made: Made, *, later: bool | None = None) -> list[dict[str, Any]]:
    """All panels but rows; those of the rows that are shut where ``later``, the others where not."""
    shut = [below for panel in made["panels"] for below in panel.get("panels") or ()]
    open_ = [panel for panel in made["panels"] if panel["type"] != "row"]
    return {None: [*open_, *shut], True: shut, False: open_}[later]


def _expressions(panels: list[dict[str, Any]]) -> set[str]:
    return {target["expr"] for panel in panels for target in panel["targets"]}


def test_the_committed_files_are_what_the_code_makes() -> None:
    assert generator.differing(FOLDER, generator.generated()) == [], "make generate writes them"


def test_check_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = f"--folder={tmp_path}"
    assert generator.main([folder, "--check"]) == 1
    assert generator.main([folder]) == 0
    assert generator.main([folder, "--check"]) == 0
    (tmp_path / "autoscaling.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")
    capsys.readouterr()
    assert generator.main([folder, "--check"]) == 1
    told = capsys.readouterr().err
    assert "autoscaling.json" in told
    assert "old.json" in told


def test_queries_can_be_read_by_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert generator.main(["--queries"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1::2] == [query.expression for query in queries()]


def test_every_query_is_in_a_panel_and_no_other_is() -> None:
    of_variables = {asked.NAMESPACES.expression, asked.SERVICE_NAMES.expression}
    shown = set().union(*(_expressions(_panels(made)) for made in DASHBOARDS.values()))
    assert shown == {query.expression for query in queries()} - of_variables


@_each
def test_variables_offer_what_their_queries_find(made: Made) -> None:
    variables = {variable["name"]: variable for variable in made["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "service"][: len(variables)]
    asked_for = {name: query for name, query in _VARIABLES.items() if name in variables}
    for name, query in asked_for.items():
        assert variables[name]["query"] == f"label_values({query.expression}, {name})"


@_each
def test_variables_are_those_that_the_panels_ask_with(made: Made) -> None:
    offered = {variable["name"] for variable in made["templating"]["list"]} - {"datasource"}
    used = set(re.findall(r"\$\{?(namespace|service)\b", " ".join(_expressions(_panels(made)))))
    assert offered == used


def test_dashboards_are_told_apart() -> None:
    for part in ("uid", "title"):
        assert len({made[part] for made in DASHBOARDS.values()}) == len(generator.DASHBOARDS)


@_each
def test_what_only_later_versions_have_is_in_a_row_that_says_so(made: Made) -> None:
    shut = [panel["title"] for panel in made["panels"] if panel["type"] == "row" and panel["collapsed"]]
    assert all(title.endswith(f"({METRICS_SINCE} and later only)") for title in shut)
    of_frost_server = {query.expression for query in queries() if Source.FROST_SERVER in query.sources}
    assert _expressions(_panels(made, later=True)) <= of_frost_server
    assert not _expressions(_panels(made, later=False)) & of_frost_server


def test_the_version_table_says_the_same() -> None:
    since = tuple(map(int, METRICS_SINCE.split(".")))
    for entry in VERSIONS.values():
        assert entry.metrics == (tuple(map(int, entry.version.split("."))) >= since)


@_each
def test_no_panel_lies_on_another(made: Made) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in (*made["panels"], *_panels(made, later=True)):
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@_each
def test_panels_say_what_they_show_from_whichever_prometheus(made: Made) -> None:
    numbers = [panel["id"] for panel in (*made["panels"], *_panels(made, later=True))]
    assert len(set(numbers)) == len(numbers)
    for panel in _panels(made):
        assert panel["title"]
        assert panel["description"].endswith(".")
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_kustomize_makes_a_configmap_of_each_file() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = [name for generator_ in kustomization["configMapGenerator"] for name in generator_["files"]]
    assert files == sorted(path.name for path in FOLDER.glob("*.json"))
