"""Pulumi's own command: one call for each thing that is asked of a layer. The only module that starts it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

COMMAND: Final = "pulumi"
_MISSING: Final = """There is no `pulumi` on the PATH
  Install it: https://www.pulumi.com/docs/install/, and log in to where the city's state is kept: pulumi login --help
  For a city on Azure also az (https://learn.microsoft.com/cli/azure/install-azure-cli) and kubelogin."""
_UNCHANGED: Final = frozenset({"same", "read", "refresh"})


class PulumiError(Exception):
    """Pulumi is not there, or ended with an error; the message says what to do."""


@dataclass(frozen=True)
class Step:
    """What Pulumi would do with one resource."""

    operation: str
    """Pulumi's word, such as create, update, replace, delete."""
    urn: str
    """The resource."""
    changed: Sequence[str] = ()
    """Paths of the properties that would change, where Pulumi tells them."""


@dataclass(frozen=True)
class Plan:
    """What Pulumi would do with a layer."""

    steps: Sequence[Step] = ()
    """One for each resource."""

    @property
    def changes(self) -> dict[str, int]:
        """How many resources would be changed, by operation."""
        counted: dict[str, int] = {}
        for step in self.steps:
            if step.operation not in _UNCHANGED:
                counted[step.operation] = counted.get(step.operation, 0) + 1
        return counted


@dataclass(frozen=True)
class State:
    """What Pulumi knows of a layer."""

    resources: int = 0
    """How many there are."""
    in_progress: bool = False
    """Whether somebody changes it at this moment."""
    last: Mapping[str, Any] = field(default_factory=dict)
    """The last update: kind, result, endTime."""


def require() -> None:
    """Fail where Pulumi is not installed.

    Raises:
        PulumiError: It is not.
    """
    if shutil.which(COMMAND) is None:
        raise PulumiError(_MISSING)


class Layer:
    """A project with the stack of one city."""

    def __init__(self, folder: Path, city: str) -> None:
        self.folder = folder
        self.city = city

    def select(self) -> None:
        """Make the stack where it is not there yet. Asks for a passphrase where the state's place wants one."""
        self._run("stack", "select", "--create", self.city, named=False)

    def state(self) -> State | None:
        """What there is; None where there is no stack.

        Raises:
            PulumiError: Pulumi ended with an error.
        """
        stacks = self._json("stack", "ls", "--json", named=False)
        mine = next((each for each in stacks if str(each["name"]).rsplit("/", 1)[-1] == self.city), None)
        if mine is None:
            return None
        history = self._json("stack", "history", "--json", "--page-size", "1")
        return State(mine.get("resourceCount") or 0, bool(mine.get("updateInProgress")), history[0] if history else {})

    def preview(self) -> Plan:
        """What `up` would do.

        Raises:
            PulumiError: The program refused its configuration, or something else failed; with what Pulumi wrote.
        """
        answer = self._json("preview", "--json", "--non-interactive")
        return Plan(
            tuple(
                Step(
                    str(each["op"]), str(each["urn"]), tuple(each.get("detailedDiff") or each.get("diffReasons") or ())
                )
                for each in answer.get("steps") or ()
            )
        )

    def up(self) -> None:
        """Do it. Pulumi's progress goes to the terminal.

        Raises:
            PulumiError: Pulumi ended with an error.
        """
        self._show("up", "--yes", "--skip-preview")

    def destroy(self) -> None:
        """Take everything away. Protected resources keep Pulumi from it.

        Raises:
            PulumiError: Pulumi ended with an error.
        """
        self._show("destroy", "--yes", "--skip-preview")

    def _command(self, *arguments: str, named: bool = True) -> list[str]:
        stack = ["--stack", self.city] if named else []
        return [COMMAND, "-C", str(self.folder), *arguments, *stack]

    def _run(self, *arguments: str, named: bool = True) -> str:
        with _interrupts_go_to_pulumi():
            done = subprocess.run(self._command(*arguments, named=named), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise self._failed(arguments, done.returncode, done.stderr or _diagnostics(done.stdout))
        return done.stdout

    def _json(self, *arguments: str, named: bool = True) -> Any:
        text = self._run(*arguments, named=named)
        try:
            return json.loads(text)
        except ValueError as error:
            raise PulumiError(f"`pulumi {' '.join(arguments)}` answered with no JSON\n  {text[:200]}") from error

    def _show(self, *arguments: str) -> None:
        with _interrupts_go_to_pulumi():
            code = subprocess.run(self._command(*arguments), check=False).returncode
        if code != 0:
            raise self._failed(arguments, code, "")

    def _failed(self, arguments: Sequence[str], code: int, said: str) -> PulumiError:
        lines = [f"`pulumi {arguments[0]}` of {self.folder.name} ended with {code}"]
        return PulumiError("\n  ".join([*lines, *(line for line in said.strip().splitlines() if line.strip())]))


def _diagnostics(text: str) -> str:
    """What a preview in JSON says of an error."""
    try:
        told = json.loads(text).get("diagnostics") or ()
    except (ValueError, AttributeError):
        return text
    return "\n".join(str(each.get("message", "")) for each in told if each.get("severity") == "error")


@contextmanager
def _interrupts_go_to_pulumi() -> Iterator[None]:
    """Ctrl-C reaches Pulumi itself, which finishes what is under way; killing it would leave a locked state behind."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
