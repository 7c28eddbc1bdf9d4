"""Specs nobody thought of: API server and offline validation agree on each, and what they take the operator takes.

A few hundred of them; ``SPECS=10000`` takes as many.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from kubernetes.client import ApiException

from sensorthings_operator import desired
from sensorthings_operator.api import crd
from sensorthings_operator.api.parse import InvalidSpec, parse_service
from sensorthings_operator.cli.validate import validated
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.validation import validate
from tests.unit.api.disturbed import manifests
from tests.unit.operator.samples import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.api.examples import Manifest

pytestmark = pytest.mark.usefixtures("crds")

_SPECS: Final = int(os.environ.get("SPECS", "300"))
_PLURALS: Final = {resource.kind: resource.plural for resource in crd.RESOURCES}
_REFUSALS: Final = (400, 422)


def _stored(created: Callable[[Manifest], Any], manifest: Manifest) -> tuple[Manifest, str]:
    """What the API server would store of a manifest, or what it says against it."""
    try:
        return created(manifest), ""
    except ApiException as error:
        if error.status not in _REFUSALS:
            raise
        return {}, str(error.body)


def _problems(manifest: Manifest) -> list[str]:
    """What the offline validation says against it."""
    try:
        validated(manifest)
    except InvalidSpec as error:
        for problem in error.problems:
            assert problem.path.split(".")[0].split("[")[0] in ("spec", "metadata"), problem
        return [str(problem) for problem in error.problems]
    return []


def _acted_on(manifest: Manifest) -> None:
    """The operator says what is wrong, or builds it; it never raises."""
    service = Service("air", "hamburg", "uid", 1, parse_service(manifest, unknown_fields="ignore").spec)
    problems = validate(service.spec)
    assert all(problem.path.startswith("spec") and problem.message for problem in problems)
    if not problems:
        assert desired.children(service, SETTINGS)
        assert {"Ready", "Reconciling", "Stalled"} <= evaluate(Observed(service)).keys()


def test_both_say_the_same_of_every_spec(created: Callable[[Manifest], Any]) -> None:
    seen: Counter[bool] = Counter()

    @settings(max_examples=_SPECS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(manifests())
    def agree(manifest: dict[str, Any]) -> None:
        stored, refusal = _stored(created, manifest)
        problems = _problems(manifest)
        assert bool(refusal) == bool(problems), f"API server: {refusal or 'takes it'}; offline: {problems}"
        seen[bool(refusal)] += 1
        if not refusal and manifest["kind"] == "SensorThingsService":
            _acted_on(stored)

    agree()
    assert min(seen[True], seen[False]) > _SPECS // 20, f"right and wrong ones: {seen}"
