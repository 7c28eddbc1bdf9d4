"""What can be seen of a service, drawn."""

from hypothesis import strategies as st

from sensorthings_operator.conditions.auth import AuthReason, UsersReason
from sensorthings_operator.conditions.autoscaling import AutoscalerState
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.databasehosts import WORKING, DatabaseAnswer, Replication, ReplicationReason, Role
from sensorthings_operator.conditions.observed import (
    Answer,
    ApplyProblem,
    Observed,
    PodProblem,
    SchemaJob,
    Workload,
)
from tests.unit.catalogue.catalogued import CATALOGUE, EXPOSED
from tests.unit.operator.samples import BASIC, EXTERNAL, service

_TEXT = st.text(max_size=20)
_MESSAGES = st.text(min_size=1, max_size=20)
_COUNTS = st.integers(0, 3)
_WORKLOADS = st.none() | st.builds(
    Workload, _COUNTS, _COUNTS, _COUNTS, _COUNTS, _COUNTS, st.booleans(), st.sampled_from(["", "deadline exceeded"])
)
_REASONS = st.sampled_from(["ImagePullBackOff", "CrashLoopBackOff", "Unschedulable", "CreateContainerConfigError"])
_AUTOSCALED = {"autoscaling": {"maxReplicas": 3}}
_SPECS = st.builds(
    lambda base, bus, tiers, auth, catalogue, portal, flags: service(
        {**base, **bus, **tiers, **auth, **catalogue, **portal, **flags}
    ),
    st.sampled_from([{}, EXTERNAL]),
    st.sampled_from([{}, {"bus": {"type": "External", "external": {"host": "bus.example"}}}]),
    st.sampled_from([{}, {"http": _AUTOSCALED}, {"http": _AUTOSCALED, "mqtt": _AUTOSCALED}]),
    st.sampled_from([{}, {"auth": {"type": "Keycloak", "none": None, "keycloak": {"realm": "city"}}}, BASIC]),
    st.sampled_from([{}, {**EXPOSED, "catalogue": CATALOGUE}]),
    st.sampled_from([{}, {**EXPOSED, "portal": {}}]),
    st.fixed_dictionaries({"paused": st.booleans(), "hibernated": st.booleans()}),
)
_REPLICATIONS = st.none() | st.builds(
    Replication,
    st.sampled_from(ReplicationReason),
    _MESSAGES,
    st.permutations(["db-0.city.internal:5432", "db-1.city.internal:5433"]).flatmap(
        lambda hosts: st.tuples(*(st.tuples(st.just(host), st.sampled_from(Role)) for host in hosts))
    ),
    st.booleans(),
)
_DATABASES = st.builds(
    lambda answer, message, replication: Answer(answer in WORKING, answer.value, message, replication=replication),
    st.sampled_from(DatabaseAnswer),
    _MESSAGES,
    _REPLICATIONS,
)
OBSERVED = st.builds(
    Observed,
    service=_SPECS,
    missing_secrets=st.dictionaries(st.sampled_from(["a", "b"]), _MESSAGES, max_size=2),
    database=st.none() | _DATABASES,
    schema=st.none() | st.builds(SchemaJob, st.sampled_from(["Running", "Complete", "Failed"]), _TEXT),
    bus=_WORKLOADS,
    http=_WORKLOADS,
    mqtt=_WORKLOADS,
    portal=_WORKLOADS,
    portal_route=st.none() | st.booleans(),
    managed_database=_WORKLOADS,
    autoscalers=st.dictionaries(
        st.sampled_from(["http", "mqtt"]),
        st.sampled_from(AutoscalerState).map(lambda state: Answer(state is AutoscalerState.ACTING, state, "")),
    ),
    keycloak=st.none()
    | st.builds(
        lambda reason, message: Answer(reason is AuthReason.READY, reason.value, message),
        st.sampled_from(AuthReason),
        _MESSAGES,
    ),
    users=st.none()
    | st.builds(
        lambda reason, message: Answer(reason is UsersReason.READY, reason.value, message),
        st.sampled_from(UsersReason),
        _MESSAGES,
    ),
    catalogue=st.none()
    | st.builds(
        lambda reason, message: Answer(reason is CatalogueReason.PUBLISHED, reason.value, message),
        st.sampled_from(CatalogueReason),
        _MESSAGES,
    ),
    missing_passwords=st.dictionaries(st.sampled_from(["a", "b"]), _MESSAGES, max_size=2),
    pod_problems=st.lists(
        st.builds(
            PodProblem, st.sampled_from(["http", "mqtt", "bus", "database", "schema"]), _MESSAGES, _REASONS, _TEXT
        ),
        max_size=3,
    ).map(tuple),
    apply_problems=st.lists(
        st.builds(
            ApplyProblem,
            st.sampled_from(["Deployment", "Secret"]),
            _MESSAGES,
            st.sampled_from(["NameTaken", "ApplyRefused"]),
            _MESSAGES,
        ),
        max_size=2,
    ).map(tuple),
)
