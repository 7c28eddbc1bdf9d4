"""The files that Grafana reads: what the code makes, with every query in a panel and every panel in its place."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dashboards import __main__ as generator
from dashboards import asked, queries
from dashboards.query import METRICS_SINCE, Source
from sensorthings_operator.desired.versions import VERSIONS

FOLDER: Final = Path(generator.__file__).parent
DASHBOARD: Final[dict[str, Any]] = json.loads((FOLDER / "autoscaling.json").read_text())


def _panels(*, later: bool | None = None) -> list[dict[str, Any]]:
    """All panels but rows; those of the rows that are shut where ``later``, the others where not."""
    shut = [below for panel in DASHBOARD["panels"] for below in panel.get("panels") or ()]
    open_ = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
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
    assert _expressions(_panels()) == {query.expression for query in queries()} - of_variables


def test_variables_offer_what_their_queries_find() -> None:
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "service"]
    assert variables["namespace"]["query"] == f"label_values({asked.NAMESPACES.expression}, namespace)"
    assert variables["service"]["query"] == f"label_values({asked.SERVICE_NAMES.expression}, service)"


def test_what_only_later_versions_have_is_in_a_row_that_says_so() -> None:
    rows = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert [row["title"] for row in rows if row["collapsed"]] == [
        f"FROST-Server's own metrics ({METRICS_SINCE} and later only)"
    ]
    of_frost_server = {query.expression for query in queries() if Source.FROST_SERVER in query.sources}
    assert _expressions(_panels(later=True)) == of_frost_server
    assert not _expressions(_panels(later=False)) & of_frost_server


def test_the_version_table_says_the_same() -> None:
    since = tuple(map(int, METRICS_SINCE.split(".")))
    for entry in VERSIONS.values():
        assert entry.metrics == (tuple(map(int, entry.version.split("."))) >= since)


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in (*DASHBOARD["panels"], *_panels(later=True)):
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_panels_say_what_they_show_from_whichever_prometheus() -> None:
    numbers = [panel["id"] for panel in (*DASHBOARD["panels"], *_panels(later=True))]
    assert len(set(numbers)) == len(numbers)
    for panel in _panels():
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
