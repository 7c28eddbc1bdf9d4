"""What becomes of what was read: a ConfigMap, and what the status says of it."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from sensorthings_operator.clients.datasets import DataRead
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.observed import Answer, ApplyProblem
from sensorthings_operator.desired import catalogue
from sensorthings_operator.desired.catalogue.files import MOST_BYTES
from sensorthings_operator.desired.reading import DataSummary, Reading
from tests.unit.catalogue.catalogued import CATALOGUE, DATA, EXPOSED, LAYER, catalogued
from tests.unit.operator.samples import SETTINGS, body, observed
from tests.unit.operator.test_reconcile import City
from tests.unit.operator.virtual_time import on_virtual_time

_NAME = ("ConfigMap", "air-catalogue")
_SPEC: dict[str, Any] = {**EXPOSED, "certificate": {"issuerRef": {"name": "city"}}, "catalogue": CATALOGUE}


def test_the_files() -> None:
    (made,) = catalogue.build(catalogued(), SETTINGS)
    assert made["metadata"]["name"] == "air-catalogue"
    assert set(made["data"]) == {
        "catalogue.jsonld",
        "catalogue.rdf",
        "service.xml",
        "service-mqtt.xml",
        "series.xml",
        "dataset-no2.xml",
        *(name for name in made["data"] if name.startswith("dataset-o-zone-more-")),
        "services.json",
        "style_v3.json",
        "reading.json",
    }
    assert Reading.model_validate_json(made["data"]["reading.json"]).summary == DATA


def test_nothing_is_made_that_was_not_asked_for_or_is_not_known() -> None:
    assert catalogue.build(replace(catalogued(), reading=None), SETTINGS) == []
    unasked = catalogued(spec={"catalogue": None})
    assert catalogue.build(unasked, SETTINGS) == []


def test_what_is_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [LAYER.model_copy(update={"layer_name": f"layer-{number}"}) for number in range(64)]
    service = catalogued({"datasets": [{"serviceName": LAYER.service_name}]}, data=DataSummary(layers=tuple(layers)))
    made = catalogue.written(service, SETTINGS)
    assert made is not None
    assert made.size > MOST_BYTES
    assert catalogue.build(service, SETTINGS) == []
    few = catalogued({"datasets": [{"serviceName": LAYER.service_name}]}, data=DataSummary(layers=tuple(layers[:20])))
    assert catalogue.build(few, SETTINGS), "20 layers fit"


def test_an_identifier_names_one_thing() -> None:
    given = "7f3c0000-0000-4000-8000-000000000001"
    layers = [{"layerName": name, "recordId": given} for name in ("a", "b")]
    spec = catalogued({"datasets": [{"serviceName": "x", "layers": layers}]}).spec.catalogue
    assert spec is not None
    (told,) = catalogue.obstacles(spec)
    assert told.startswith(f"spec.catalogue.datasets: recordId {given} is given 2 times")
    assert catalogue.obstacles(catalogued().spec.catalogue or spec) == ()


def test_what_the_data_lacks_is_named_with_its_field() -> None:
    layers = [{"layerName": "no2"}, {"layerName": "dust"}]
    groups = [{"serviceName": LAYER.service_name, "layers": layers}, {"serviceName": "water"}]
    service = catalogued({"datasets": groups})
    assert service.spec.catalogue is not None
    assert service.reading is not None
    told = catalogue.gaps(service.spec.catalogue, service.reading)
    assert [each.partition(":")[0] for each in told] == [
        "spec.catalogue.datasets[0].layers[1].layerName",
        "spec.catalogue.datasets[1].serviceName",
    ]
    assert "no2, o'zone & more" in told[0]
    assert catalogue.build(service, SETTINGS), "all else is described"


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (None, "Unknown", "DataNotAsked"),
        (Answer(False, CatalogueReason.NOT_ASKED, "no pod"), "Unknown", "DataNotAsked"),
        (Answer(False, CatalogueReason.NOT_READ, "500"), "Unknown", "DataNotRead"),
        (Answer(False, CatalogueReason.INVALID, "a field"), "False", "DescriptionInvalid"),
        (Answer(False, CatalogueReason.TOO_LARGE, "bytes"), "False", "CatalogueTooLarge"),
        (Answer(True, CatalogueReason.PUBLISHED, "2 datasets"), "True", "CataloguePublished"),
    ],
)
def test_what_the_status_says_and_that_ready_does_not_wait(answer: Answer | None, status: str, reason: str) -> None:
    seen = observed(service=catalogued(), catalogue=answer)
    verdicts = evaluate(seen)
    assert (verdicts["CatalogueSynced"].status, verdicts["CatalogueSynced"].reason) == (status, reason)
    others = evaluate(replace(seen, service=catalogued(spec={"catalogue": None})))
    assert "CatalogueSynced" not in others
    assert verdicts["Ready"] == others["Ready"]


def test_a_name_that_is_taken_and_a_pause_are_told() -> None:
    problem = ApplyProblem("ConfigMap", "air-catalogue", "NameTaken", "was not made for this service")
    refused = evaluate(observed(service=catalogued(), apply_problems=(problem,)))["CatalogueSynced"]
    assert (refused.status, refused.reason) == ("False", "CatalogueRefused")
    paused = evaluate(observed(service=catalogued(spec={"paused": True})))["CatalogueSynced"]
    assert (paused.status, paused.reason) == ("Unknown", "Paused")


def test_an_operator_without_catalogues_loads_neither_rdflib_nor_lxml() -> None:
    program = "import sys, sensorthings_operator.operator; print([m for m in ('rdflib', 'lxml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=120)
    assert done.stdout.decode().strip() == "[]"


class _Described(City):
    """A service with a catalogue whose HTTP pod is ready."""

    def __init__(self, **catalogue: Any) -> None:
        super().__init__({**_SPEC, "catalogue": {**CATALOGUE, **catalogue}})

    def ready(self) -> None:
        """A pod is there to be asked."""
        pod = {
            "kind": "Pod",
            "metadata": {
                "name": "air-http-1",
                "namespace": "hamburg",
                "uid": "p-1",
                "resourceVersion": "9",
                "labels": {"sensorthings.city/service": "air", "app.kubernetes.io/component": "http"},
            },
            "status": {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
        }
        self.store.put("Pod", pod)

    def start(self) -> None:
        super().start()
        self.ready()

    async def looked(self, times: int = 4) -> str:
        """Some passes; the reason that the status gives."""
        for _ in range(times):
            await self.look()
            await self.pause()
        return self.reason()

    async def pause(self) -> None:
        """Until the probes have answered."""
        await asyncio.sleep(2)

    def reason(self) -> str:
        """Of CatalogueSynced."""
        conditions = self.api.objects["SensorThingsService", "air"]["status"]["conditions"]
        return str(next(each["reason"] for each in conditions if each["type"] == "CatalogueSynced"))

    def reading(self) -> Reading:
        """What the ConfigMap holds."""
        return Reading.model_validate_json(self.api.objects[_NAME]["data"]["reading.json"])


@on_virtual_time
async def test_what_is_read_is_published_and_settles() -> None:
    city = _Described()
    assert await city.looked() == "CataloguePublished"
    assert city.reading().summary == DATA
    before = len(city.api.writes())
    await city.looked()
    assert city.api.writes()[before:] == []
    await city.close()


@on_virtual_time
async def test_only_what_is_published_makes_it_anew() -> None:
    city = _Described()
    await city.looked()
    day = city.reading().day
    more = LAYER.model_copy(update={"things": 17})
    city.data = DataRead(True, CatalogueReason.PUBLISHED, "", summary=DataSummary(layers=(more, *DATA.layers[1:])))
    await asyncio.sleep(5000)
    city.now = city.now.replace(day=2)
    await city.looked()
    assert city.reading().summary.layers[0].things == 17
    assert city.reading().day != day
    await city.close()


@on_virtual_time
async def test_a_start_of_the_operator_changes_nothing_also_while_the_service_does_not_answer() -> None:
    city = _Described()
    await city.looked()
    before = len(city.api.writes())
    city.start()
    city.now = city.now.replace(day=5)
    await city.look()
    assert city.api.writes()[before:] == []
    assert city.reason() == "CataloguePublished"
    await city.close()


@on_virtual_time
async def test_what_was_published_stays_while_the_service_can_not_be_asked() -> None:
    city = _Described()
    city.data = Answer(False, CatalogueReason.NOT_READ, "pod air-http-1 answers GET Things with 500")
    assert await city.looked() == "DataNotRead"
    assert _NAME not in city.api.objects, "nothing is known to publish"
    city.data = DataRead(True, CatalogueReason.PUBLISHED, "", summary=DATA)
    await asyncio.sleep(600)
    assert await city.looked() == "CataloguePublished"
    city.data = Answer(False, CatalogueReason.NOT_READ, "pod air-http-1 answers GET Things with 500")
    await asyncio.sleep(5000)
    assert await city.looked() == "DataNotRead"
    assert city.reading().summary == DATA
    await city.close()


@on_virtual_time
async def test_other_words_are_published_on_the_day_they_are_said() -> None:
    city = _Described()
    await city.looked()
    live = city.api.objects["SensorThingsService", "air"]
    live["spec"]["catalogue"]["datasets"] = [{"serviceName": LAYER.service_name, "layers": [{"layerName": "o'zone"}]}]
    live["metadata"]["generation"] = 2
    city.api.touch(live)
    city.now = city.now.replace(day=9)
    await city.look()
    assert city.reason() == "DataNotAsked", "what the data has of it is not known yet"
    assert _NAME in city.api.objects
    assert await city.looked() == "DescriptionInvalid"
    assert (city.reading().generation, city.reading().day) == (2, "2026-01-09")
    await city.close()


@on_virtual_time
async def test_a_catalogue_that_is_not_asked_for_any_more_goes() -> None:
    city = _Described()
    await city.looked()
    assert _NAME in city.api.objects
    live = city.api.objects["SensorThingsService", "air"]
    without = body({**_SPEC, "catalogue": None})["spec"]
    live["spec"] = {name: value for name, value in without.items() if value is not None}
    live["metadata"]["generation"] = 2
    city.api.touch(live)
    city.succeed()
    for _ in range(6):
        await city.look()
        city.succeed()
        await city.pause()
    assert "CatalogueSynced" not in city.conditions()
    await city.close()
