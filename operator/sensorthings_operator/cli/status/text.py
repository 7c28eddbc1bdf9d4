"""Draws the tree of ``sensorthings status`` for a terminal of any width, with colour or without. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from sensorthings_operator.cli.arrival import instant, printable
from sensorthings_operator.cli.status.model import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from sensorthings_operator.cli.status.model import (
        Autoscaler,
        Certificate,
        Condition,
        Overview,
        Part,
        Pod,
        Remedy,
        Route,
        Service,
        Workload,
    )

_SYMBOLS: Final = {
    State.OK: ("✔", "+", "green"),
    State.OFF: ("○", "-", "dim"),
    State.WAITING: ("↻", "~", "cyan"),
    State.UNKNOWN: ("?", "?", "yellow"),
    State.TROUBLE: ("✖", "!", "bold red"),
}
"""Of each state: the symbol, the one where the terminal knows only ASCII, and the style."""
_PODS_SHOWN: Final = 6
_WARNINGS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Drawing:
    """How to draw: the time that ages are counted to, and whether the terminal knows more than ASCII."""

    now: datetime
    unicode: bool = True

    def overview(self, overview: Overview) -> RenderableType:
        """Every service, and below them what could not be looked at."""
        drawn: list[RenderableType] = []
        for service in overview.services:
            drawn += [*([Text()] if drawn else []), self.service(service)]
        drawn += [Text(f"Note: {printable(note)}", style="yellow") for note in overview.notes]
        return Group(*drawn)

    def service(self, service: Service) -> Tree:
        """One service; what to do stands first where something is wrong."""
        tree = Tree(self._title(service), guide_style="dim")
        if service.what_to_do:
            asking = tree.add(Text("What to do", style="bold red"))
            for remedy in service.what_to_do:
                head = Text.assemble((remedy.about, "bold"), f" {remedy.reason}")
                asking.add(self._line(State.TROUBLE, head, remedy.message))
        self._summary(tree, service)
        if service.endpoints:
            grid = Table.grid(padding=(0, 2))
            for endpoint in service.endpoints:
                grid.add_row(printable(endpoint.name), Text(printable(endpoint.url), overflow="fold"))
            tree.add(Text("Endpoints", style="bold")).add(grid)
        for part in service.parts:
            self._part(tree, part, service.what_to_do)
        self._warnings(tree, service)
        return tree

    def _title(self, service: Service) -> RenderableType:
        head = Text(f"{service.namespace}/{service.name}", style="bold")
        head.append("  Ready" if service.ready else "  not Ready", style=_SYMBOLS[service.state][2])
        version = f"FROST-Server {service.version}" if service.version else ""
        return self._line(service.state, head, facts=[version, _age(service.created, self.now)])

    def _summary(self, tree: Tree, service: Service) -> None:
        """The conditions about the whole service; those that say nothing new are left out."""
        for type_, telling in (
            ("Ready", {"True", "False", "Unknown"}),
            ("Reconciling", {"True"}),
            ("Stalled", {"True"}),
        ):
            condition = service.condition(type_)
            if condition and (condition.status in telling or condition.reason == "Paused"):
                head = Text.assemble((type_, "bold"), f" {condition.status}  {condition.reason}")
                if condition.outdated:
                    head.append(" (of an older spec; the newest has not been looked at yet)")
                tree.add(self._line(condition.state, head, _unless_told(condition, service.what_to_do)))

    def _part(self, tree: Tree, part: Part, told: Sequence[Remedy]) -> None:
        head = Text(part.title, style="bold")
        if part.about:
            head.append(f" ({printable(part.about)})", style="not bold")
        if part.condition is not None:
            head.append(f"  {part.condition.reason}", style="not bold")
        branch = tree.add(self._line(part.state, head, _unless_told(part.condition, told)))
        for workload in part.workloads:
            self._workload(branch, workload)
        for scaler in part.autoscalers:
            self._troubles(branch.add(self._autoscaler(scaler)), scaler.troubles)
        for route in part.routes:
            self._troubles(branch.add(self._route(route)), route.troubles)
        for certificate in part.certificates:
            self._troubles(branch.add(self._certificate(certificate)), certificate.troubles)
        for note in part.notes:
            branch.add(self._line(State.UNKNOWN, Text(printable(note))))

    def _workload(self, tree: Tree, workload: Workload) -> None:
        done = workload.kind == "Job"
        count = f"{workload.ready}/{workload.wanted} {'completed' if done else 'ready'}"
        branch = tree.add(
            self._of(workload.state, workload.kind, workload.name, count, _age(workload.created, self.now))
        )
        self._troubles(branch, workload.troubles)
        shown = [pod for pod in workload.pods if pod.state is State.TROUBLE or not done]
        for pod in shown[:_PODS_SHOWN]:
            self._troubles(branch.add(self._pod(pod)), pod.troubles)
        if len(shown) > _PODS_SHOWN:
            rest = shown[_PODS_SHOWN:]
            ready = sum(pod.state is State.OK for pod in rest)
            branch.add(Text(f"and {len(rest)} more pods, {ready} of them ready", style="dim"))

    def _pod(self, pod: Pod) -> RenderableType:
        phase = pod.phase if pod.phase not in {"Running", "Pending"} else ""
        restarts = _many(pod.restarts, "restart") if pod.restarts else ""
        if pod.restarts and pod.last_end:
            restarts += f" (last {pod.last_end}, {_age(pod.last_ended, self.now)} ago)"
        count = f"{pod.ready}/{pod.containers} ready"
        return self._of(pod.state, "Pod", pod.name, phase or count, _age(pod.created, self.now), restarts)

    def _autoscaler(self, scaler: Autoscaler) -> RenderableType:
        moving = f" to {scaler.desired}" if scaler.desired != scaler.current else ""
        pods = f"{_many(scaler.current, 'pod')}{moving} ({scaler.minimum} to {scaler.maximum})"
        cpu = "CPU not measured yet" if scaler.cpu is None else f"CPU {scaler.cpu} %"
        target = f", target {scaler.target_cpu} %" if scaler.target_cpu is not None else ""
        most = "at its maximum" if scaler.current >= scaler.maximum > scaler.minimum else ""
        return self._of(scaler.state, "Autoscaler", scaler.name, pods, f"{cpu}{target}", most)

    def _route(self, route: Route) -> RenderableType:
        where = f"at {', '.join(route.addresses)}" if route.addresses else "no controller has taken it up yet"
        return self._of(route.state, route.kind, route.name, *route.urls, where)

    def _certificate(self, certificate: Certificate) -> RenderableType:
        expires, renewal = instant(certificate.expires), instant(certificate.renewal)
        validity = (
            f"valid until {expires:%Y-%m-%d %H:%M} UTC ({_span(expires, self.now)})" if expires else "not issued yet"
        )
        renewed = f"renewed from {renewal:%Y-%m-%d}" if renewal else ""
        return self._of(certificate.state, "Certificate", certificate.name, validity, renewed)

    def _warnings(self, tree: Tree, service: Service) -> None:
        if not service.warnings:
            return
        branch = tree.add(Text("Recent warnings", style="bold"))
        for warning in service.warnings[:_WARNINGS_SHOWN]:
            times = f" ({warning.count} times)" if warning.count > 1 else ""
            head = Text(f"{_age(warning.last, self.now)} ago  {warning.about} {warning.reason}{times}")
            branch.add(self._line(None, head, warning.message))
        if len(service.warnings) > _WARNINGS_SHOWN:
            branch.add(Text(f"and {len(service.warnings) - _WARNINGS_SHOWN} more", style="dim"))

    def _troubles(self, tree: Tree, troubles: Sequence[str]) -> None:
        for trouble in troubles:
            tree.add(Text(printable(trouble), style="red"))

    def _of(self, state: State, kind: str, name: str, *facts: str) -> RenderableType:
        return self._line(state, Text(f"{kind} {printable(name)}"), facts=facts)

    def _line(self, state: State | None, head: Text, message: str = "", facts: Iterable[str] = ()) -> RenderableType:
        """A symbol, and beside it the text; its further lines begin below the first one's text."""
        told = ", ".join(printable(fact) for fact in facts if fact)
        text = Text.assemble(
            head, *([("  " + told, "dim")] if told else []), f": {printable(message)}" if message else ""
        )
        if state is None:
            return text
        symbol, plain, style = _SYMBOLS[state]
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_row(Text(symbol if self.unicode else plain, style=style), text)
        return grid


def _unless_told(condition: Condition | None, told: Sequence[Remedy]) -> str:
    """The message of a condition, where it does not stand above already."""
    if condition is None or any(remedy.reason == condition.reason for remedy in told):
        return ""
    return condition.message


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _age(time: str | None, now: datetime) -> str:
    known = instant(time)
    return _span(known, now) if known else ""


def _span(one: datetime, other: datetime) -> str:
    """The time between two instants as kubectl writes it: 45s, 12m, 5h, 3d."""
    seconds = int(abs((one - other).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
