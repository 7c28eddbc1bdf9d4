"""Restored databases beside the one that serves: what is made of them."""

from typing import Final

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.desired import addresses, children
from sensorthings_operator.observe.gather import instances
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.backed_up import backed_up, children_of, files_of, pod_of, sections_of
from tests.unit.operator.samples import SETTINGS, child, service


def test_a_restored_database_shares_nothing_with_the_one_that_serves() -> None:
    spec = backed_up(instances=2, restore={"name": "r1", "to": "2026-11-23T10:00:00Z"})
    made = children_of(spec)
    first, second = made["StatefulSet", "air-db"], made["StatefulSet", "air-db-r1"]
    assert first == children_of(backed_up(instances=2))["StatefulSet", "air-db"], (
        "the one that serves goes on as it was"
    )
    template = second["spec"]["template"]["metadata"]["labels"]
    for name in ("air-db", "air-db-primary", "air-db-replica"):
        selector = made["Service", name]["spec"]["selector"]
        assert (
            not selector.items()
            <= {**template, "sensorthings.city/role": selector.get("sensorthings.city/role")}.items()
        )
    assert not first["spec"]["selector"]["matchLabels"].items() <= template.items()
    restore = pod_of(second)["initContainers"][0]
    variables = {v["name"]: v.get("value") for v in restore["env"]}
    assert (variables["SOURCE"], variables["STANZA"]) == ("air-db", "air-db-r1")
    assert variables["TARGET"] == "2026-11-23T10:00:00Z"
    assert pod_of(first).get("initContainers") is None
    patroni = yaml.safe_load(made["ConfigMap", "air-db-r1"]["data"]["patroni.yml"])
    assert patroni["scope"] == "air-db-r1"
    dynamic = made["ConfigMap", "air-db-r1-config"]["metadata"]["annotations"]["config"]
    assert "--stanza=air-db-r1 " in dynamic, "its timelines are its own"


def test_it_serves_when_the_spec_says_so_and_the_former_one_is_kept_without_a_pod() -> None:
    spec = backed_up(restore={"name": "r1"}, serving="r1")
    made = children_of(spec)
    assert made["StatefulSet", "air-db"]["spec"]["replicas"] == 0
    assert made["StatefulSet", "air-db-r1"]["spec"]["replicas"] == 1
    assert addresses.database_address(service(spec), SETTINGS).endpoints[0].host.startswith("air-db-r1-primary.")
    assert (
        made["StatefulSet", "air-db-r1"]["spec"]["template"]
        == children_of(backed_up(restore={"name": "r1"}))["StatefulSet", "air-db-r1"]["spec"]["template"]
    ), "its pods do not start anew for that"
    credentials = [name for kind, name in made if kind == "Secret" and name.endswith("-credentials")]
    assert credentials == ["air-db-credentials"], "whoever knows the database's password goes on with it"
    assert ("StatefulSet", "air-db") not in children_of(backed_up(serving="r1"))


def test_which_instance_of_a_former_pair_knows_the_most_is_kept_with_its_volumes() -> None:
    made = children_of(backed_up(instances=2, restore={"name": "r1"}, serving="r1"))
    assert made["StatefulSet", "air-db"]["spec"]["replicas"] == 0
    states = {name for kind, name in made if kind == "ConfigMap" and name.startswith("air-db-")}
    assert {"air-db-config", "air-db-leader", "air-db-sync", "air-db-failover"} <= states


def test_a_third_one_is_restored_from_the_second() -> None:
    made = children_of(backed_up(restore={"name": "r2", "source": "r1"}, serving="r1"))
    assert {name for kind, name in made if kind == "StatefulSet" and "db" in name} == {"air-db-r1", "air-db-r2"}
    variables = {
        v["name"]: v.get("value") for v in pod_of(made["StatefulSet", "air-db-r2"])["initContainers"][0]["env"]
    }
    assert variables["SOURCE"] == "air-db-r1"
    assert set(
        sections_of(files_of(backed_up(restore={"name": "r2", "source": "r1"}, serving="r1"))["database.conf"])
    ) == {
        "global",
        "global:archive-push",
        "global:archive-get",
        "global:restore",
        "air-db-r1",
        "air-db-r2",
    }


_NAMES: Final = st.sampled_from(["", "r1", "r2", "flood"])


@given(_NAMES, st.one_of(st.none(), st.tuples(_NAMES.filter(bool), _NAMES)), st.sampled_from([1, 2]))
def test_names_never_meet(serving: str, restore: tuple[str, str] | None, number: int) -> None:
    """Kind and name of each child are its alone, and each StatefulSet selects its own pods alone."""
    wanted = (
        {} if restore is None or restore[0] == restore[1] else {"restore": {"name": restore[0], "source": restore[1]}}
    )
    made = children(service(backed_up(instances=number, serving=serving, **wanted)), SETTINGS)
    names = [(each["kind"], each["metadata"]["name"]) for each in made]
    assert len(names) == len(set(names))
    sets = [each for each in made if each["kind"] in ("StatefulSet", "Deployment")]
    for one in sets:
        selected = one["spec"]["selector"]["matchLabels"].items()
        found = [each for each in sets if selected <= each["spec"]["template"]["metadata"]["labels"].items()]
        assert found == [one]


def test_pods_of_a_restored_pair_are_not_taken_for_those_that_serve() -> None:
    store = OwnedStore(SUMMARIES)
    for pod in ("air-db-0", "air-db-r1-0"):
        labels = {"sensorthings.city/service": "air", "sensorthings.city/role": "primary"}
        store.put("Pod", child("Pod", pod, uid=pod, labels=labels))
    assert [each.pod for each in instances(store, service(backed_up(instances=2)))] == ["air-db-0"]
    assert [each.pod for each in instances(store, service(backed_up(instances=2, serving="r1")))] == ["air-db-r1-0"]
