"""Files of Go modules: taken once, and only what the checksum says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcluster import modules, parts
from localcluster.errors import LocalClusterError
from localcluster.modules import Module
from tests.unit.localcluster.fakes import programs

if TYPE_CHECKING:
    from pathlib import Path

_MODULE = Module("example.org/crds", "v1.2.3", "h1:abc=")


def _go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str]) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    made = programs(tmp_path / "bin", monkeypatch, {"go": f"cat {tmp_path / 'answer.json'}"})
    monkeypatch.setattr(parts, "go", lambda: made.folder / "go")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_what_was_made_of_a_module_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _go(tmp_path, monkeypatch, {"Sum": "h1:abc=", "Dir": str(tmp_path)})
    seen: list[Path] = []

    def make(folder: Path) -> list[dict[str, Any]]:
        seen.append(folder)
        return [{"kind": "X"}]

    assert modules.extract("x", _MODULE, make) == modules.extract("x", _MODULE, make) == [{"kind": "X"}]
    assert seen == [tmp_path]
    modules.extract("y", _MODULE, make)
    modules.extract("x", Module(_MODULE.path, "v1.2.4", _MODULE.checksum), make)
    assert len(seen) == 3


def test_a_module_that_was_changed_on_its_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _go(tmp_path, monkeypatch, {"Sum": "h1:other=", "Dir": str(tmp_path)})
    with pytest.raises(LocalClusterError, match=r"example\.org/crds v1\.2\.3 has the checksum h1:other=, not h1:abc="):
        modules.fetch(_MODULE)


def test_parts_pin_versions_and_checksums() -> None:
    module = modules.required_by(parts.COREDNS, "github.com/coredns/coredns")
    assert module.version.startswith("v1.")
    assert module.checksum.startswith("h1:")
    with pytest.raises(LocalClusterError, match="requires no"):
        modules.required_by(parts.COREDNS, "example.org/nothing")
