"""The API server takes the Ingresses as they are built, whatever path of WebSocket the spec may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensorthings_operator.desired import ingress
from sensorthings_operator.desired.validation import validate
from tests.unit.operator.exposed import exposed
from tests.unit.operator.samples import SETTINGS

if TYPE_CHECKING:
    from tests.apiserver.conftest import Kubectl


@pytest.mark.parametrize("path", ["/mqtt", "/", "/ws", "/a.b/c_d-e/", "/..a", f"/{'a' * 127}"])
def test_ingresses_are_taken(kubectl: Kubectl, namespace: str, path: str) -> None:
    service = exposed(routes={"webSocketPath": path}, namespace=namespace)
    assert validate(service.spec) == ()
    items = {"apiVersion": "v1", "kind": "List", "items": ingress.build(service, SETTINGS)}
    made = kubectl("apply", "--server-side", "--filename=-", manifest=items)
    paths = [item["spec"]["rules"][0]["http"]["paths"][0]["pathType"] for item in made["items"]]
    assert paths == ["Prefix", "Exact" if path == "/mqtt" else "ImplementationSpecific"]
