"""What CatalogueServed says."""

from dataclasses import replace
from typing import Any, Final

import pytest

from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.observed import Answer, ApplyProblem, PodProblem, Workload
from tests.unit.catalogue.catalogued import catalogued
from tests.unit.operator.samples import observed

_SERVED: Final[dict[str, Any]] = {"endpoint": {}}
_UP: Final = Workload(wanted=1, replicas=1, ready=1, updated=1, available=1, settled=True)
_STARTING: Final = Workload(wanted=1, replicas=1, ready=0, updated=1, available=0, settled=True)
_GATEWAY: Final = {"exposure": {"type": "Gateway", "gateway": {"name": "city"}}}


def _told(catalogue: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **seen: Any) -> Verdict | None:
    held = seen.pop("host_holder", None)
    service = replace(catalogued(_SERVED if catalogue is None else catalogue, spec=spec), host_holder=held)
    return evaluate(observed(service=service, **seen)).get("CatalogueServed")


@pytest.mark.parametrize(
    ("spec", "seen", "reason", "says"),
    [
        ({"paused": True}, {}, "Paused", "stays as it is"),
        ({"hibernated": True}, {}, "Hibernated", "nothing serves"),
        ({}, {"host_holder": ("hamburg", "other")}, "HostTaken", "belongs to the service hamburg/other"),
        (
            {},
            {"apply_problems": (ApplyProblem("Service", "air-catalogue", "NameTaken", "is another's"),)},
            "EndpointRefused",
            "Service air-catalogue: is another's",
        ),
        ({}, {}, "EndpointWaiting", "see CatalogueSynced"),
        ({}, {"catalogue_pods": _STARTING}, "EndpointStarting", "no pod serves"),
        (
            {},
            {
                "catalogue_pods": _STARTING,
                "pod_problems": (PodProblem("catalogue", "air-catalogue-1", "ImagePullBackOff", "no such image"),),
            },
            "ImagePullBackOff",
            "pod air-catalogue-1: no such image",
        ),
        ({}, {"catalogue_pods": _UP}, "EndpointWaiting", "Ingress air-catalogue waits for the schema"),
        ({}, {"catalogue_pods": _UP, "catalogue_route": False}, "EndpointRoutePending", "Ingress air-catalogue yet"),
        (
            _GATEWAY,
            {"catalogue_pods": _UP, "catalogue_route": Answer(False, "Refused", "no such listener")},
            "EndpointRouteRefused",
            "HTTPRoute air-catalogue is not taken up: no such listener",
        ),
        (
            _GATEWAY,
            {"catalogue_pods": _UP, "catalogue_route": Answer(False, "Pending", "")},
            "EndpointRoutePending",
            "HTTPRoute air-catalogue yet",
        ),
    ],
)
def test_what_is_missing(spec: dict[str, Any], seen: dict[str, Any], reason: str, says: str) -> None:
    verdict = _told(spec=spec, **seen)
    assert verdict is not None
    assert verdict.reason == reason
    assert says in verdict.message
    assert not verdict.holds


@pytest.mark.parametrize(("spec", "route"), [({}, True), (_GATEWAY, Answer(True, "TakenUp", ""))])
def test_all_is_well(spec: dict[str, Any], route: Answer | bool) -> None:
    verdict = _told(spec=spec, catalogue_pods=_UP, catalogue_route=route)
    assert verdict is not None
    assert (verdict.status, verdict.reason) == ("True", "EndpointReady")
    assert verdict.message == "harvesters find the descriptions at /catalogue/ of air.city.example"


def test_nobody_asked_for_it() -> None:
    assert _told({}) is None
