"""Brings the layers of a city up in order, and goes on where it stopped: a layer without changes is passed over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sensorthings_operator.cli.city import guard
from sensorthings_operator.cli.city.pulumi import Layer, Plan, PulumiError
from sensorthings_stacks.cities.projects import of_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sensorthings_stacks.cities.city import City

    Tell = Callable[[str], None]

_LET_GO: Final = "pulumi -C {folder} state unprotect --all --stack {city}"


def layers(city: City, folder: Path) -> list[Layer]:
    """The layers of a city, in the order in which they come up."""
    return [Layer(folder / project.layer, city.name) for project in of_target(city.target)]


def preview(city: City, folder: Path, tell: Tell) -> None:
    """Tell what `up` would do, as far as it can be known: a layer needs the outputs of those before it.

    Raises:
        PulumiError: Pulumi failed, or would do what no plan may do.
    """
    for told, layer in _numbered(city, folder):
        state = layer.state()
        if state is None:
            tell(f"{told}: not there yet; `pulumi -C {layer.folder} stack init {city.name}` makes an empty stack")
            return
        tell(f"{told}: {_summary(_guarded(layer))}")
        if not state.resources:
            tell("What comes after it is known once it is up.")
            return


def up(city: City, folder: Path, tell: Tell) -> None:
    """Bring every layer up. What is there already stays as it is.

    Raises:
        PulumiError: A layer failed, or its plan would do what no plan may do. Those before it are up; called again,
            it goes on there.
    """
    for told, layer in _numbered(city, folder):
        layer.select()
        plan = _guarded(layer)
        if not plan.changes:
            tell(f"{told}: as it should be")
            continue
        tell(f"{told}: {_summary(plan)}")
        began = time.monotonic()
        try:
            layer.up()
        except PulumiError as error:
            raise PulumiError(
                f"{error}\n  Once that is put right, `sensorthings city up {city.name}` goes on here."
            ) from error
        tell(f"{told}: done in {time.monotonic() - began:.0f} s")


def down(city: City, folder: Path, tell: Tell) -> None:
    """Take every layer away, the last first.

    Raises:
        PulumiError: A layer failed, such as for what is protected in it; those after it are gone.
    """
    for told, layer in reversed(list(_numbered(city, folder))):
        state = layer.state()
        if state is None or not state.resources:
            tell(f"{told}: nothing there")
            continue
        tell(f"{told}: {state.resources} resources go")
        try:
            layer.destroy()
        except PulumiError as error:
            let_go = _LET_GO.format(folder=layer.folder, city=city.name)
            raise PulumiError(f"{error}\n  What holds data is protected. To let go of it: {let_go}") from error


def status(city: City, folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Each layer, what Pulumi knows of it, and whether it is up.

    Raises:
        PulumiError: Pulumi failed.
    """
    for layer in layers(city, folder):
        state = layer.state()
        if state is None:
            yield layer.folder.name, "not there yet", False
        elif state.in_progress:
            yield layer.folder.name, "somebody changes it at this moment", False
        elif not state.last:
            yield layer.folder.name, "made, and never brought up", False
        else:
            kind, result, ended = (str(state.last.get(key, "")) for key in ("kind", "result", "endTime"))
            good = kind == "update" and result == "succeeded"
            yield layer.folder.name, f"{state.resources} resources, {kind} {result} {ended}".rstrip(), good


def _numbered(city: City, folder: Path) -> Iterator[tuple[str, Layer]]:
    found = layers(city, folder)
    return ((f"[{number}/{len(found)}] {layer.folder.name}", layer) for number, layer in enumerate(found, start=1))


def _guarded(layer: Layer) -> Plan:
    plan = layer.preview()
    refused = guard.refusals(plan.steps)
    if refused:
        lines = "\n  ".join(refused)
        raise PulumiError(
            f"The plan of {layer.folder.name} would take away what must stay\n  {lines}\n"
            f"  Undo the change of its configuration that leads to this; `pulumi -C {layer.folder} preview --diff "
            f"--stack {layer.city}` shows it. Where it is meant, let go of what is protected and run Pulumi itself."
        )
    return plan


def _summary(plan: Plan) -> str:
    changes = plan.changes
    return ", ".join(f"{operation} {count}" for operation, count in sorted(changes.items())) or "no changes"
