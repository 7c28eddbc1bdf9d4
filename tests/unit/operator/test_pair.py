"""A managed database of several instances: what is made of it, how one grows into it, what its condition says."""

from typing import Any, Final

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.observed import DatabaseInstance, PodProblem
from sensorthings_operator.desired import FOUNDATION, addresses, children, database, stage_children
from sensorthings_operator.desired.database import patroni
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.validation import validate
from sensorthings_operator.observe.pairs import is_adopted
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.samples import SETTINGS, child, observed, service, workload

_SINGLE: Final[Manifest] = {"database": {"type": "Managed"}}


def _pair(instances: int = 2) -> Manifest:
    return {"database": {"type": "Managed", "managed": {"instances": instances}}}


def _made(kind: str, name: str, spec: Manifest, **fields: Any) -> Manifest:
    found = [
        m for m in children(service(spec, **fields), SETTINGS) if (m["kind"], m["metadata"]["name"]) == (kind, name)
    ]
    (manifest,) = found
    return manifest


def _kinds(spec: Manifest) -> set[str]:
    return {manifest["kind"] for manifest in children(service(spec), SETTINGS)}


def _container(spec: Manifest) -> Manifest:
    container: Manifest = _made("StatefulSet", "air-db", spec)["spec"]["template"]["spec"]["containers"][0]
    return container


def test_a_single_one_has_no_right_no_token_and_no_patroni() -> None:
    """A thousand single databases shall not write leases to the API server."""
    assert not {"Role", "RoleBinding"} & _kinds(_SINGLE)
    pod = _made("StatefulSet", "air-db", _SINGLE)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert "patroni" not in orjson.dumps(_made("ConfigMap", "air-db", _SINGLE)["data"]["start.sh"]).decode()
    assert len(database.secrets(service(_SINGLE), SETTINGS)) == 1


def test_growing_keeps_name_volume_selector_and_data_directory() -> None:
    """None of them can be changed, or the data would stay behind."""
    one, several = (_made("StatefulSet", "air-db", spec)["spec"] for spec in (_SINGLE, _pair()))
    for field in ("serviceName", "selector", "volumeClaimTemplates", "podManagementPolicy"):
        assert one[field] == several[field]
    variables = [{v["name"]: v.get("value") for v in _container(spec)["env"]} for spec in (_SINGLE, _pair())]
    assert variables[0]["PGDATA"] == variables[1]["PGDATA"]
    local = yaml.safe_load(_made("ConfigMap", "air-db", _pair())["data"]["patroni.yml"])
    assert local["postgresql"]["data_dir"] == variables[0]["PGDATA"]


def test_pods_change_what_is_theirs_and_nothing_else() -> None:
    rules = _made("Role", "air-db", _pair())["rules"]
    changing = [rule for rule in rules if not set(rule["verbs"]) <= {"list", "watch"}]
    names = {name for rule in changing for name in rule["resourceNames"]}
    assert names == {"air-db-config", "air-db-leader", "air-db-sync", "air-db-failover", "air-db-0", "air-db-1"}
    assert {rule["apiGroups"][0] for rule in rules} == {""}
    assert {resource for rule in rules for resource in rule["resources"]} == {"configmaps", "pods"}
    assert not {verb for rule in rules for verb in rule["verbs"]} & {"create", "delete", "update", "*"}
    subjects = _made("RoleBinding", "air-db", _pair())["subjects"]
    assert subjects == [{"kind": "ServiceAccount", "name": "air-db", "namespace": "hamburg"}]


def test_patroni_sees_the_pods_and_states_of_its_own_service_alone() -> None:
    local = yaml.safe_load(_made("ConfigMap", "air-db", _pair())["data"]["patroni.yml"])
    kubernetes = local["kubernetes"]
    selected = {**kubernetes["labels"], kubernetes["scope_label"]: local["scope"]}
    template = _made("StatefulSet", "air-db", _pair())["spec"]["template"]["metadata"]["labels"]
    assert selected.items() <= template.items()
    for manifest in children(service(_pair()), SETTINGS):
        if manifest["kind"] == "ConfigMap":
            has = selected.items() <= manifest["metadata"]["labels"].items()
            assert has == (manifest["metadata"]["name"] in patroni.state_names(service()))
    # A single database beside it has neither.
    other = _made("StatefulSet", "air-db", _SINGLE)["spec"]["template"]["metadata"]["labels"]
    assert not selected.items() <= other.items()


def test_no_change_of_the_operator_s_takes_the_role_off_a_pod() -> None:
    """Patroni's label stands on pods, which belong to the StatefulSet: its template says nothing of it."""
    template = _made("StatefulSet", "air-db", _pair())["spec"]["template"]["metadata"]["labels"]
    assert "sensorthings.city/role" not in template
    primary = _made("Service", "air-db-primary", _pair())["spec"]["selector"]
    assert primary["sensorthings.city/role"] == "primary"
    assert _made("Service", "air-db-replica", _pair())["spec"]["selector"]["sensorthings.city/role"] == "replica"
    assert "sensorthings.city/role" not in _made("Service", "air-db-primary", _SINGLE)["spec"]["selector"]


def test_times_are_such_as_patroni_takes() -> None:
    dynamic = patroni.dynamic_configuration(service(_pair()))
    assert dynamic["ttl"] >= 20
    assert dynamic["loop_wait"] + 2 * dynamic["retry_timeout"] <= dynamic["ttl"]
    assert dynamic["retry_timeout"] >= 3


def test_what_is_acknowledged_is_on_two_instances_wherever_there_are_two() -> None:
    annotations = _made("ConfigMap", "air-db-config", _pair())["metadata"]["annotations"]
    dynamic = orjson.loads(annotations["config"])
    assert dynamic["synchronous_mode"] is True
    assert dynamic["synchronous_mode_strict"] is False
    assert "synchronous_commit" not in dynamic["postgresql"]["parameters"]
    assert dynamic["postgresql"]["use_pg_rewind"] is True
    assert dynamic["postgresql"]["parameters"]["wal_log_hints"] == "on"


def test_only_the_first_may_make_a_database() -> None:
    """One with an empty volume that came first to an existing database would make another one."""
    data = _made("ConfigMap", "air-db", _pair())["data"]
    assert "bootstrap" not in yaml.safe_load(data["patroni.yml"])
    assert set(yaml.safe_load(data["bootstrap.yml"])) == {"bootstrap"}
    assert "*-0) cp /etc/sensorthings/bootstrap.yml" in data["start.sh"]
    assert "data-checksums" in yaml.safe_load(data["bootstrap.yml"])["bootstrap"]["initdb"]


@pytest.mark.parametrize("instances", [2, 3])
def test_clients_find_the_primary_by_the_pods_names_and_verify_it(instances: int) -> None:
    address = addresses.database_address(service(_pair(instances)), SETTINGS)
    hosts = [endpoint.host for endpoint in address.endpoints]
    assert hosts == [f"air-db-{number}.air-db.hamburg.svc.cluster.local" for number in range(instances)]
    assert (address.tls_mode, address.ca_secret) == ("verify-full", "air-db-certificates")
    certified = _made("Secret", "air-db-certificates", _pair(instances))["metadata"]["annotations"]
    assert set(hosts) <= set(certified["sensorthings.city/certificate-hosts"].split(","))
    environment = _made("Deployment", "air-http", _pair(instances))["spec"]["template"]["spec"]["containers"][0]["env"]
    (url,) = (each["value"] for each in environment if each["name"] == "persistence_db_url")
    assert "targetServerType=primary" in url
    assert "socketTimeout=12" in url


def test_a_migration_is_not_cut_short_where_another_server_could_take_over() -> None:
    (job,) = (m for m in children(service(_pair()), SETTINGS) if m["kind"] == "Job")
    environment = job["spec"]["template"]["spec"]["initContainers"][0]["env"]
    (url,) = (each["value"] for each in environment if each["name"] == "persistence_db_url")
    assert "socketTimeout=60" in url


def test_one_more_instance_starts_no_other_anew() -> None:
    two, three = (_made("StatefulSet", "air-db", _pair(number))["spec"] for number in (2, 3))
    assert two["template"] == three["template"]
    assert (two["replicas"], three["replicas"]) == (2, 3)
    certificates = [_made("Secret", "air-db-certificates", _pair(number)) for number in (2, 3)]
    assert certificates[0] == certificates[1]


def test_renewed_certificates_start_them_anew_since_postgresql_reads_them_then() -> None:
    before, after = (
        _made("StatefulSet", "air-db", _pair(), secret_digests={"air-db-certificates": digest})["spec"]["template"]
        for digest in ("1", "2")
    )
    assert before != after


def test_a_drain_takes_one_after_the_other() -> None:
    budget = _made("PodDisruptionBudget", "air-db", _pair())["spec"]
    assert budget["maxUnavailable"] == 1
    assert "air-db" not in [m["metadata"]["name"] for m in children(service(), SETTINGS) if "Budget" in m["kind"]]


def test_passwords_are_drawn_and_in_no_manifest() -> None:
    secret = _made("Secret", "air-db-replication", _pair())
    assert secret["metadata"]["annotations"]["sensorthings.city/generated-keys"] == "replication,rewind"
    assert "data" not in secret
    for variable in _container(_pair())["env"]:
        assert "PASSWORD" not in variable["name"] or "value" not in variable


def test_reads_go_to_the_standbys_of_a_managed_pair() -> None:
    spec = {
        **_pair(),
        "host": "air.hamburg.example",
        "exposure": {"type": "Gateway", "gateway": {"name": "city"}},
        "certificate": {"issuerRef": {"name": "letsencrypt"}},
        "http": {"readReplicas": 1},
    }
    assert validate(service(spec).spec) == ()
    environment = _made("Deployment", "air-http-read", spec)["spec"]["template"]["spec"]["containers"][0]["env"]
    (url,) = (each["value"] for each in environment if each["name"] == "persistence_db_url")
    assert "targetServerType=preferSecondary" in url
    (problem,) = validate(service({**spec, **_SINGLE}).spec)
    assert problem.path == "spec.http.readReplicas"


# Growing


def test_a_single_one_is_run_by_patroni_before_it_gets_company() -> None:
    """A StatefulSet replaces the last pod first and waits for it: a standby that waits for the first to be replaced."""
    growing = _made("StatefulSet", "air-db", _pair(), database_adopted=False)["spec"]
    grown = _made("StatefulSet", "air-db", _pair())["spec"]
    assert (growing["replicas"], grown["replicas"]) == (1, 2)
    assert growing["template"] == grown["template"]
    selector = _made("Service", "air-db-primary", _pair(), database_adopted=False)["spec"]["selector"]
    assert "sensorthings.city/role" not in selector


def _store(*, replicas: int | None, role: str | None) -> OwnedStore:
    store = OwnedStore(SUMMARIES)
    if replicas is not None:
        store.put("StatefulSet", {**child("StatefulSet", "air-db"), "spec": {"replicas": replicas}})
    labels = {"sensorthings.city/service": "air"} | ({} if role is None else {"sensorthings.city/role": role})
    store.put("Pod", child("Pod", "air-db-0", labels=labels))
    return store


@pytest.mark.parametrize(
    ("spec", "replicas", "role", "expected"),
    [
        (_SINGLE, 1, None, True),
        (_pair(), None, None, True),
        (_pair(), 1, None, False),
        (_pair(), 1, "primary", True),
        (_pair(), 2, None, True),
        (_pair(), 0, None, True),
    ],
    ids=["single", "new", "growing", "adopted", "grown", "hibernated"],
)
def test_it_is_adopted_once_patroni_gave_its_pod_a_role(
    spec: Manifest, replicas: int | None, role: str | None, expected: bool
) -> None:
    assert is_adopted(_store(replicas=replicas, role=role), service(spec)) is expected


# What it says


_ROLES = st.sampled_from(["primary", "replica"])
_INSTANCES = st.lists(st.builds(DatabaseInstance, st.just("air-db-0"), _ROLES, st.booleans()), max_size=3).map(tuple)


def _says(instances: tuple[DatabaseInstance, ...], **fields: Any) -> tuple[str, str, str]:
    seen = {"service": service(_pair()), "instances": instances, "managed_database": workload(2), **fields}
    verdict = evaluate(observed(**seen))["InstancesAvailable"]
    return verdict.status, verdict.reason, verdict.message


_PRIMARY: Final = DatabaseInstance("air-db-0", "primary", ready=True)
_STANDBY: Final = DatabaseInstance("air-db-1", "replica", ready=True)


@given(_INSTANCES)
def test_it_holds_with_a_primary_and_a_standby_that_are_ready(instances: tuple[DatabaseInstance, ...]) -> None:
    ready = [each.role for each in instances if each.ready]
    assert (_says(instances)[0] == "True") == ("primary" in ready and "replica" in ready)


def test_it_is_not_there_for_a_single_one() -> None:
    assert "InstancesAvailable" not in evaluate(observed())


def test_a_standby_that_is_missing_is_told_with_its_pod_s_trouble_and_keeps_the_service_from_ready() -> None:
    assert _says((_PRIMARY, _STANDBY))[:2] == ("True", "InstancesReady")
    assert _says((_PRIMARY,))[:2] == ("False", "InstanceMissing")
    problem = PodProblem("database", "air-db-1", "Unschedulable", "no node has a volume for it")
    assert "air-db-1: no node has a volume" in _says((_PRIMARY,), pod_problems=(problem,))[2]
    ready = evaluate(observed(service=service(_pair()), instances=(_PRIMARY,), managed_database=workload(2)))["Ready"]
    assert (ready.status, ready.reason) == ("False", "InstanceMissing")


def test_of_three_it_says_how_many() -> None:
    seen = observed(service=service(_pair(3)), instances=(_PRIMARY, _STANDBY), managed_database=workload(3))
    verdict = evaluate(seen)["InstancesAvailable"]
    assert verdict.reason == "InstanceMissing"
    assert verdict.message.startswith("1 of 2 standbys")
    assert "alone" not in verdict.message


def test_a_new_one_is_only_starting_unless_a_pod_has_trouble() -> None:
    assert _says((_PRIMARY,), http=None)[:2] == ("False", "DatabaseStarting")
    assert _says((_PRIMARY, _STANDBY), http=None)[:2] == ("True", "InstancesReady")
    problem = PodProblem("database", "air-db-1", "Unschedulable", "no node has a volume for it")
    assert _says((_PRIMARY,), http=None, pod_problems=(problem,))[:2] == ("False", "InstanceMissing")


def test_no_primary_is_worse() -> None:
    assert _says((_STANDBY,))[:2] == ("False", "PrimaryMissing")
    assert _says(())[:2] == ("False", "PrimaryMissing")


def test_one_that_grows_says_so() -> None:
    growing = service(_pair(), database_adopted=False)
    assert _says((), service=growing)[:2] == ("False", "PairForming")


def test_the_stages_make_the_rights_before_the_pods() -> None:
    made = [(m["kind"], m["metadata"]["name"]) for m in stage_children(FOUNDATION, service(_pair()), SETTINGS)]
    needed = [("Role", "air-db"), ("RoleBinding", "air-db"), ("ConfigMap", "air-db-config"), ("Service", "air-db")]
    assert max(map(made.index, needed)) < made.index(("StatefulSet", "air-db"))
