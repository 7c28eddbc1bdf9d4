"""Where a built part lies, and with which flags it is built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcluster import parts
from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from pathlib import Path


@given(st.text(max_size=40), st.binary(max_size=40), st.text(max_size=40), st.binary(max_size=40))
def test_a_key_is_equal_exactly_when_its_inputs_are(mod: str, total: bytes, mod2: str, total2: bytes) -> None:
    one = parts.key(parts.ETCD, mod.encode(), total)
    other = parts.key(parts.ETCD, mod2.encode(), total2)
    assert (one == other) == ((mod.encode(), total) == (mod2.encode(), total2))


def test_what_moves_from_one_file_to_the_other_changes_the_key() -> None:
    assert parts.key(parts.ETCD, b"ab", b"c") != parts.key(parts.ETCD, b"a", b"bc")


sources = st.dictionaries(st.text(max_size=3), st.binary(max_size=3), max_size=3)


@given(sources, sources)
def test_go_files_of_ours_are_part_of_the_key(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (parts.key(parts.ETCD, b"", b"", one) == parts.key(parts.ETCD, b"", b"", other)) == (one == other)


def test_a_part_without_go_files_of_ours_keeps_its_key() -> None:
    assert parts.key(parts.ETCD, b"a", b"b") == parts.key(parts.ETCD, b"a", b"b", {}) == "etcd-922fba2725021d68"


@pytest.mark.parametrize("line", ["require k8s.io/kubernetes v1.36.3", "\tk8s.io/kubernetes v1.36.3 // indirect"])
def test_the_version_is_read_from_go_mod(line: str) -> None:
    text = f"module x\n\ngo 1.26.0\n\n\tk8s.io/kubernetes/other v1.0.0\n{line}\n"
    assert parts.version_of("k8s.io/kubernetes", text) == "v1.36.3"


def test_a_module_that_is_not_required_is_named() -> None:
    with pytest.raises(LocalClusterError, match=r"requires no k8s\.io/kubernetes"):
        parts.version_of("k8s.io/kubernetes", "module x\n")


def test_kubernetes_reports_its_version() -> None:
    flags = parts.linker_flags(parts.KUBERNETES, "require k8s.io/kubernetes v1.36.3\n")
    assert flags.startswith("-s -w ")
    for value in ("gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36"):
        assert f"-X k8s.io/component-base/version.{value}" in flags


@pytest.mark.parametrize("part", parts.PLATFORM)
def test_the_platform_reports_its_versions(part: str) -> None:
    go_mod = parts.files_of(part)[0].read_text()
    stamp = parts.linker_flags(part, go_mod).removeprefix("-s -w -X ")
    variable, _, version = stamp.partition("=")
    module = variable.split("/pkg/")[0].removesuffix("/version.RELEASE")
    assert parts.version_of(module, go_mod)  # a variable of a module that is not linked in would be set without effect
    assert re.fullmatch(r"v\d+\.\d+\.\d+(-\d{14}-[0-9a-f]{12})?", version)


def test_go_files_are_found_where_a_part_has_some() -> None:
    own = {file.suffix for file in parts.files_of(parts.CERT_MANAGER)}
    assert own == {".mod", ".sum", ".go"}
    assert len(parts.files_of(parts.ETCD)) == 2


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go1.26.8\n", (1, 26, 8)),
        ("go1.27rc1", (1, 27, 0)),
        ("go 1.26.0", (1, 26, 0)),
        ("devel go1.28-abc", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_the_go_version_is_read(text: str, version: parts.GoVersion) -> None:
    assert parts.go_version(text) == version


@pytest.mark.parametrize("part", parts.ALL)
def test_every_part_is_pinned(part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert parts.folder_of(part).parent == tmp_path / "sensorthings" / "parts"


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(LocalClusterError, match="Parts are: kubernetes"):
        parts.folder_of("nonsense")


def test_a_built_part_is_not_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")  # nothing could be built
    parts.folder_of(parts.ETCD).mkdir(parents=True)
    assert parts.ensure(parts.ETCD) == parts.folder_of(parts.ETCD)


def test_the_wheel_builds_every_part() -> None:
    """A machine without Go has nothing else: found on a bare one, where containerd asked for a newer patch release."""
    assert parts.wheel_go() >= parts.oldest_go() > (1, 0, 0)
