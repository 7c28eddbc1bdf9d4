"""Reads the YAML documents of a file as the command line takes manifests; called by ``sensorthings render``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from sensorthings_operator.api.manifests import UniqueKeyLoader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class UnreadableDocument(ValueError):  # noqa: N818 - it is the document that is unreadable
    """A file that can't be read, or is no YAML; the message says where and why."""


@dataclass(frozen=True)
class Document:
    """A manifest and where it stands."""

    number: int
    """Which document of the file, from 1."""
    manifest: dict[str, Any]
    item: int | None = None
    """Which item of a List, from 0."""

    def __str__(self) -> str:
        metadata = self.manifest.get("metadata")
        names = [metadata.get(key) for key in ("namespace", "name")] if isinstance(metadata, dict) else []
        identity = f"{self.manifest.get('kind', 'no kind')} {'/'.join(str(name) for name in names if name)}".rstrip()
        item = "" if self.item is None else f", items[{self.item}]"
        return f"document {self.number}{item} ({identity})"


def read(file: Path) -> list[Document]:
    """Every manifest of a file (``-``: standard input); empty documents are left out, a List gives its items.

    Raises:
        UnreadableDocument: The file can't be read, is no YAML, or holds a document that is no object.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        found = list(yaml.load_all(text, Loader=UniqueKeyLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableDocument(_reason(error)) from error
    return [
        manifest
        for number, content in enumerate(found, start=1)
        if content is not None
        for manifest in _manifests(number, content)
    ]


def _manifests(number: int, content: object) -> Iterator[Document]:
    if not isinstance(content, dict):
        raise UnreadableDocument(
            f"document {number} is {_article(content)}: a manifest is an object with apiVersion and kind"
        )
    if content.get("kind") != "List" or not isinstance(content.get("items"), list):
        yield Document(number, content)
        return
    for index, item in enumerate(content["items"]):
        if not isinstance(item, dict):
            raise UnreadableDocument(f"document {number}, items[{index}] is {_article(item)}, no manifest")
        yield Document(number, item, index)


def _article(content: object) -> str:
    return "a list" if isinstance(content, list) else "text" if isinstance(content, str) else "a single value"


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return " ".join(str(error).split())
