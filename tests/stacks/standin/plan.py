"""What becomes of one resource: create, same, update, replace, or refused. Pure."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.stacks.standin.clouds import replacing
from tests.stacks.standin.wire import at, has_unknown, opened, put

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.stacks.standin.state import Record


class Refused(Exception):  # noqa: N818 - a refusal, as people read it
    """What Pulumi would refuse; the message says what and why."""


def with_ignored(wanted: Record, old: Record | None, paths: Iterable[str]) -> Record:
    """What is wanted, with the values that are there where changes are ignored."""
    if old is None:
        return wanted
    inputs = copy.deepcopy(wanted.inputs)
    for path in paths:
        before = at(old.inputs, path)
        if before is not None:
            put(inputs, path, before)
    return replace(wanted, inputs=inputs)


def operation(wanted: Record, old: Record | None, replace_on: list[str]) -> str:
    """Pulumi's word for what happens.

    Raises:
        Refused: It would take a protected resource away.
    """
    if old is None:
        return "create"
    if opened(old.inputs) == opened(wanted.inputs):
        return "same"
    changed = replacing(wanted.type, old.inputs, wanted.inputs, replace_on) if wanted.custom else []
    if not changed:
        return "update"
    if old.protect:
        raise Refused(
            f"{wanted.urn} is protected, and {', '.join(changed)} can't change without replacing it: "
            "undo the change, or let go of it with `pulumi state unprotect`"
        )
    return "replace"


def in_preview(wanted: Record, old: Record | None) -> dict[str, Any]:
    """What is known of the outputs before anything is done; what is absent, the program does not know either."""
    before: Mapping[str, Any] = {} if old is None else old.outputs
    return {**({} if has_unknown(wanted.inputs) else before), **wanted.inputs}


def leaving(old: Mapping[str, Record], new: Mapping[str, Record]) -> list[Record]:
    """Resources that nobody asked for any more, those first that depend on others.

    Raises:
        Refused: One of them is protected: then none may go.
    """
    gone = [record for urn, record in old.items() if urn not in new]
    kept = [record.urn for record in gone if record.protect]
    if kept:
        raise Refused(f"{', '.join(kept)} would be deleted, and is protected: nothing was deleted")
    return _dependents_first(gone)


def _dependents_first(records: list[Record]) -> list[Record]:
    ordered: list[Record] = []
    left = {record.urn: record for record in records}
    while left:
        needed = {urn for record in left.values() for urn in _needs(record)}
        free = [record for urn, record in left.items() if urn not in needed]
        if not free:
            raise Refused(f"resources depend on each other in a circle: {', '.join(left)}")
        ordered += free
        for record in free:
            del left[record.urn]
    return ordered


def _needs(record: Record) -> set[str]:
    provider = record.provider.rpartition("::")[0]
    return {*record.dependencies, *({record.parent} - {""}), *({provider} - {""})} - {record.urn}
