"""The programs under a stand-in for Pulumi's engine: up, a second up, changes, refusals, and the state that is left."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing import Resource as Schema

from localcluster.errors import LocalClusterError
from sensorthings_stacks.policies.resource import Resource
from sensorthings_stacks.policies.rules import RULES
from tests.stacks import programs
from tests.stacks.programs import LAYERS, PASSWORDS, SECRETS
from tests.stacks.standin import engine
from tests.stacks.standin.clouds import Clouds
from tests.stacks.standin.engine import City, Outcome, destroy
from tests.stacks.standin.state import STACK, State
from tests.stacks.standin.wire import SECRET, is_secret, opened

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _pulumis_sdk() -> None:
    try:
        engine.pulumi()
    except LocalClusterError as error:
        pytest.skip(f"Pulumi's SDK for Go can't be had: {error}")


@pytest.fixture(scope="module")
def first() -> tuple[City, dict[str, Outcome]]:
    """Hamburg, brought up; nobody may change it."""
    city = City("hamburg")
    return city, city.all("up")


@pytest.fixture
def hamburg(first: tuple[City, dict[str, Outcome]]) -> City:
    """Hamburg, brought up, for one test; writes are counted from here."""
    return City("hamburg", states=dict(first[0].states), clouds=Clouds())


def _config(layer: str, key: str, change: Any) -> dict[str, Any]:
    """One key of Hamburg's configuration, changed."""
    whole = f"sensorthings-{layer}:{key}"
    value = copy.deepcopy(programs.configuration(layer).get(whole))
    return {whole: change(value)}


def _changed(outcome: Outcome) -> list[tuple[str, str]]:
    return [(step, urn.split("$")[-1]) for step, urn in outcome.steps if step not in {"same", "read"}]


def test_every_layer_comes_up(first: tuple[City, dict[str, Outcome]]) -> None:
    city, outcomes = first
    assert {layer: outcome.problems for layer, outcome in outcomes.items()} == {layer: [] for layer in LAYERS}
    assert all(set(outcome.changes) == {"create"} for outcome in outcomes.values())
    assert opened(city.states["database"].outputs["hosts"]) == ["db-0.hamburg.internal", "db-1.hamburg.internal"]
    made = {urn for _, urn in city.clouds.writes}
    assert len(made) == len(city.clouds.writes)


def test_the_programs_ask_for_the_same_as_under_mocks(
    first: tuple[City, dict[str, Outcome]], layers: dict[str, programs.Run]
) -> None:
    for layer, run in layers.items():
        records = first[0].states[layer].records.values()
        made = {(each.type, each.name) for each in records if each.type != STACK and not each.external}
        asked = {(each.type, each.name) for each in run.resources if not each.type.endswith(":StackReference")}
        assert made == asked


def test_a_second_up_changes_nothing_and_writes_nothing(hamburg: City) -> None:
    outcomes = hamburg.all("up")
    assert {layer: (outcome.changes, outcome.problems) for layer, outcome in outcomes.items()} == {
        layer: ({}, []) for layer in LAYERS
    }
    assert hamburg.clouds.writes == []


def test_a_preview_of_a_new_city_writes_nothing() -> None:
    city = City("hamburg")
    outcome = city.run("preview", "network")
    assert outcome.problems == []
    assert set(outcome.changes) == {"create"}
    assert city.clouds.writes == []
    assert city.states == {}


def test_a_layer_without_the_one_before_it_is_refused() -> None:
    outcome = City("hamburg").run("preview", "cluster")
    assert any("city/sensorthings-network/hamburg" in problem for problem in outcome.problems)


def test_a_change_of_one_thing_is_one_update(hamburg: City) -> None:
    hamburg.changes["cluster"] = _config("cluster", "userPool", lambda pool: {**pool, "maxNodes": 20})
    outcome = hamburg.run("up", "cluster")
    assert outcome.problems == []
    assert _changed(outcome) == [("update", "azure-native:containerservice:AgentPool::hamburg-user")]
    assert [verb for verb, _ in hamburg.clouds.writes] == ["update"]


def test_what_the_autoscaler_did_stays(hamburg: City) -> None:
    """More nodes than the configuration began with are no difference, also beside one."""
    state = hamburg.states["cluster"]
    records = copy.deepcopy(state.records)
    (pool,) = [record for record in records.values() if record.type.endswith(":AgentPool")]
    (cluster,) = [record for record in records.values() if record.type.endswith(":ManagedCluster")]
    pool.inputs["count"] = 7
    cluster.inputs["agentPoolProfiles"][0]["count"] = 5
    hamburg.states["cluster"] = State(records)
    assert hamburg.run("preview", "cluster").changes == {}
    hamburg.changes["cluster"] = _config("cluster", "systemPool", lambda given: {**given, "maxNodes": 9})
    assert hamburg.run("up", "cluster").changes == {"update": 1}
    (after,) = hamburg.states["cluster"].of_type(":ManagedCluster")
    assert (after.inputs["agentPoolProfiles"][0]["count"], after.inputs["agentPoolProfiles"][0]["maxCount"]) == (5, 9)


def test_what_is_not_asked_for_any_more_goes(hamburg: City) -> None:
    hamburg.changes["network"] = _config("network", "hosts", lambda hosts: [host for host in hosts if host != "id"])
    outcome = hamburg.run("up", "network")
    assert _changed(outcome) == [("delete", "azure-native:dns:RecordSet::hamburg-id")]
    assert not any(urn.endswith("::hamburg-id") for urn in hamburg.states["network"].records)


def test_a_protected_resource_that_is_not_asked_for_any_more_stays(hamburg: City) -> None:
    other = {"namespace": "other", "services": []}
    hamburg.changes["city"] = _config("city", "tenants", lambda _: [other])
    before = hamburg.states["city"].records
    outcome = hamburg.run("up", "city")
    (problem,) = outcome.problems
    assert "Namespace::traffic would be deleted, and is protected: nothing was deleted" in problem
    assert before.keys() <= hamburg.states["city"].records.keys()
    assert "delete" not in {verb for verb, _ in hamburg.clouds.writes}


def test_a_plan_that_would_replace_the_cluster_is_refused(hamburg: City) -> None:
    """Another range for pods makes another cluster."""
    addresses = {**programs.project("network")["config"]["addresses"]["default"], "pods": "10.128.0.0/14"}
    hamburg.changes["network"] = {"sensorthings-network:addresses": addresses}
    # The network only tells it on.
    assert hamburg.run("up", "network").changes == {}
    for operation in ("preview", "up"):
        outcome = hamburg.run(operation, "cluster")
        assert any("networkProfile.podCidr can't change without replacing it" in each for each in outcome.problems)
    assert hamburg.clouds.writes == []
    (cluster,) = hamburg.states["cluster"].of_type(":ManagedCluster")
    assert cluster.inputs["networkProfile"]["podCidr"] == "10.244.0.0/16"


def test_new_user_data_leave_the_machines_alone(hamburg: City) -> None:
    hamburg.changes["database"] = _config("database", "diskGibibytes", lambda _: 2048)
    outcome = hamburg.run("up", "database")
    assert outcome.problems == []
    assert {urn.split("::")[0] for step, urn in _changed(outcome)} == {"azure-native:compute:Disk"}
    assert outcome.changes == {"update": 2}


def test_a_city_is_not_destroyed_before_somebody_lets_go_of_it(hamburg: City) -> None:
    state = hamburg.states["database"]
    refused = destroy(state, hamburg.clouds)
    assert refused.state is state
    assert "is protected: nothing was deleted" in refused.problems[0]
    assert hamburg.clouds.writes == []
    gone = destroy(state.without_protection(), hamburg.clouds)
    assert gone.state.records == {}
    deleted = [urn for _, urn in hamburg.clouds.writes]
    kept = ("compute:Disk", ":StorageAccount", ":BlobContainer", ":BlobServiceProperties")
    data = {record.urn for ending in kept for record in state.of_type(ending)}
    assert len(data) == 5
    # They are let go of, not deleted.
    assert not data & set(deleted)
    assert {urn for step, urn in gone.steps if step == "discard"} == data
    for record in state.records.values():
        for needed in record.dependencies:
            if needed in deleted and record.urn in deleted:
                assert deleted.index(record.urn) < deleted.index(needed)


def test_what_is_kept_does_not_go_with_what_it_lies_in(hamburg: City) -> None:
    """Azure deletes a resource group with everything in it, Kubernetes a namespace."""
    for layer in reversed(LAYERS):
        assert destroy(hamburg.states[layer].without_protection(), hamburg.clouds).problems == []
    deleted = {urn.split("$")[-1] for verb, urn in hamburg.clouds.writes if verb == "delete"}
    assert len(deleted) > 50
    around = ("azure-native:resources:ResourceGroup::", "kubernetes:core/v1:Namespace::traffic")
    holding = ("azure-native:compute:Disk::", "azure-native:storage:", "azure-native:containerregistry:Registry::")
    assert [urn for urn in deleted if any(each in urn for each in (*around, *holding, "keycloak:index/realm:"))] == []


def test_a_resource_of_an_older_version_of_azures_api_is_the_same_one(hamburg: City) -> None:
    """By the aliases that Pulumi's SDK gives each of Azure's resources; without them it would be made anew."""
    state = hamburg.states["network"]
    (record,) = state.of_type("network:VirtualNetwork")
    before = record.urn.replace("azure-native:network:", "azure-native:network/v20230901:")
    records = {urn: each for urn, each in state.records.items() if urn != record.urn}
    hamburg.states["network"] = State({before: dataclasses.replace(record, urn=before), **records})
    outcome = hamburg.run("up", "network")
    assert (outcome.problems, outcome.changes) == ([], {})
    assert hamburg.states["network"].records.keys() == state.records.keys()
    hamburg.states["network"] = State({"urn:pulumi:hamburg::sensorthings-network::a:b:C::d": record, **records})
    assert "is protected: nothing was deleted" in hamburg.run("preview", "network").problems[0]


def test_a_wrong_configuration_creates_nothing(hamburg: City) -> None:
    hamburg.changes["cluster"] = _config("cluster", "apiServer", lambda _: {"access": "Public"})
    outcome = hamburg.run("up", "cluster")
    assert any("apiServer.access: must be one of Restricted, Private" in problem for problem in outcome.problems)
    assert hamburg.clouds.writes == []
    assert _changed(outcome) == []


def test_transforms_and_policies_hold_for_what_is_in_the_state(first: tuple[City, dict[str, Outcome]]) -> None:
    problems = {}
    for state in first[0].states.values():
        for record in state.records.values():
            ignored = {
                "azure-native:containerservice:ManagedCluster": ["agentPoolProfiles[0].count"],
                "azure-native:containerservice:AgentPool": ["count"],
                "azure-native:compute:VirtualMachine": ["osProfile.customData"],
            }.get(record.type, ())
            seen = Resource(record.type, opened(record.inputs), record.protect, ignored)
            found = {name: list(rule(seen)) for name, rule in RULES.items()}
            problems |= {(record.urn, name): told for name, told in found.items() if told}
    assert problems == {}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, str):
        yield value


def test_no_secret_is_in_the_open_in_state_or_outputs(first: tuple[City, dict[str, Outcome]]) -> None:
    secrets = [*PASSWORDS.values(), *_texts(SECRETS["hamburg"]["platform"])]
    key = Fernet.generate_key()
    for layer, state in first[0].states.items():
        text = json.dumps(state.deployment(key))
        assert not [secret for secret in secrets if json.dumps(secret)[1:-1] in text], layer
    assert is_secret(first[0].states["database"].outputs["password"])
    assert is_secret(first[0].states["cluster"].outputs["kubeconfig"])
    assert SECRET in json.dumps(first[0].states["database"].deployment(key))


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """Pulumi's own schema of a stack's state."""
    folder = engine.pulumi() / "go" / "common" / "apitype"
    schemas = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        [(each["$id"], Schema.from_contents(each)) for each in schemas.values()]
    )
    return Draft202012Validator(schemas["deployments.json"], registry=registry)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_exported_state_is_what_pulumi_imports(
    first: tuple[City, dict[str, Outcome]], schema: Draft202012Validator, layer: str
) -> None:
    deployment = first[0].states[layer].deployment(Fernet.generate_key())
    assert [error.message for error in schema.iter_errors(deployment)] == []
    for fault in ({"urn": None}, {"inputs": []}, {"custom": "yes"}):
        broken = copy.deepcopy(deployment)
        broken["deployment"]["resources"][1].update(fault)
        assert list(schema.iter_errors(broken)), fault


@pytest.mark.parametrize("layer", LAYERS)
def test_the_projects_are_what_pulumi_reads(layer: str) -> None:
    schema = json.loads((engine.pulumi() / "go" / "common" / "workspace" / "project.json").read_text())
    check = validator_for(schema)(schema)
    project = programs.project(layer)
    assert [error.message for error in check.iter_errors(project)] == []
    broken = copy.deepcopy(project)
    next(iter(broken["config"].values()))["type"] = "text"
    assert list(check.iter_errors(broken))
