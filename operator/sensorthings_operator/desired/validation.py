"""What is wrong with a spec that the API server could not know.

Run by the reconcile, the command line and the tests.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sensorthings_operator.api.sensorthingsservice import SensorThingsServiceSpec
from sensorthings_operator.desired.versions import VERSIONS


@dataclass(frozen=True)
class SpecProblem:
    """One thing that is wrong: a reason for machines, where it is, and what is allowed instead."""

    reason: str
    path: str
    message: str


Check = Callable[[SensorThingsServiceSpec], Iterator[SpecProblem]]


def validate(spec: SensorThingsServiceSpec) -> tuple[SpecProblem, ...]:
    """Everything that is wrong with the spec; empty where it can be acted on."""
    return tuple(problem for check in _CHECKS for problem in check(spec))


def _version_known(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    if spec.version not in VERSIONS:
        known = ", ".join(VERSIONS)
        yield SpecProblem(
            "UnknownVersion", "spec.version", f"FROST-Server {spec.version} is not known; known are {known}"
        )


def _supported(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    """The resource has its final form, this release acts on a part of it; the rest is refused, never passed over."""
    if spec.exposure.type != "None":
        yield _not_yet("spec.exposure.type", spec.exposure.type, "None")
    if spec.auth.type != "None":
        yield _not_yet("spec.auth.type", spec.auth.type, "None")
    if spec.certificate is not None:
        yield SpecProblem("NotYetSupported", "spec.certificate", "this release exposes nothing: leave it out")
    for path, tier in (("spec.http", spec.http), ("spec.mqtt", spec.mqtt)):
        if tier.autoscaling is not None:
            yield SpecProblem(
                "NotYetSupported", f"{path}.autoscaling", "this release does not scale by itself: give replicas"
            )


def _not_yet(path: str, given: str, allowed: str) -> SpecProblem:
    return SpecProblem("NotYetSupported", path, f"{given} is not supported by this release: only {allowed} is")


def _reading(spec: SensorThingsServiceSpec) -> Iterator[SpecProblem]:
    if spec.auth.type == "None" and not spec.auth.anonymous_read:
        yield SpecProblem(
            "InvalidSpec", "spec.auth.anonymousRead", "auth.type None asks nobody for a token: only true is possible"
        )


_CHECKS: Final[tuple[Check, ...]] = (_version_known, _supported, _reading)
