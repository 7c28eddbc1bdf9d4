"""FROST-Server beside the machines of the tests is what a city has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sensorthings_operator import desired
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from tests.stacks.machines.frost import SERVICE

if TYPE_CHECKING:
    from tests.stacks.programs import Run


def test_its_database_is_described_as_the_city_layer_does(city: Run) -> None:
    (service,) = [each for each in city.resources if each.inputs.get("kind") == "SensorThingsService"]
    described = json.dumps(service.plain["spec"]["database"]).replace(".hamburg.internal", ".city.internal")
    assert json.loads(described) == SERVICE["spec"]["database"]


def test_its_modules_and_its_schema_look_for_the_machine_that_takes_writes() -> None:
    spec = parse_service(SERVICE, unknown_fields="refuse").spec
    made = desired.children(Service("city", "city", uid="any", generation=1, spec=spec), OperatorSettings())
    pods = [each["spec"]["template"]["spec"] for each in made if each["kind"] in {"Deployment", "Job"}]
    containers = [each for pod in pods for each in (*pod.get("initContainers", ()), *pod["containers"])]
    urls = [url for each in containers if (url := _variables(each).get("persistence_db_url"))]
    assert len(urls) == 3
    # Twice twelve seconds is what a client waits for a machine that is frozen; the schema may take its time.
    assert sorted(url.partition("socketTimeout=")[2].partition("&")[0] for url in urls) == ["12", "12", "60"]
    for url in urls:
        hosts, _, parameters = url.removeprefix("jdbc:committed:postgresql://").partition("/sensorthings?")
        assert hosts == "db-0.city.internal:5432,db-1.city.internal:5432"
        assert {"targetServerType=primary", "sslmode=verify-full"} <= set(parameters.split("&"))


def _variables(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}
