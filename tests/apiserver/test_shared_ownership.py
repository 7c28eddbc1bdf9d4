"""Fields that several own: a number of pods that changes hands, and objects that services share; no operator is there.

``apply/replicas.py`` and ``apply/tcpservices.py`` stand on these rules of the API server; the unit tests' fakes
(``owning_api.py``) play them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from kubernetes.dynamic.exceptions import ConflictError, UnprocessibleEntityError

from tests.apiserver.probes import probe
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.cluster import Cluster
    from tests.unit.api.examples import Manifest

_OURS: Final = "sensorthings-operator"
_BETWEEN: Final = "sensorthings-operator-replicas"


# The number of pods changes hands.


def _number(name: str, replicas: int, **metadata: Any) -> Manifest:
    """The number of pods and nothing else."""
    described = {"name": name, **metadata}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": described, "spec": {"replicas": replicas}}


def _numberless(name: str) -> Manifest:
    manifest = probe("Deployment", name)
    del manifest["spec"]["replicas"]
    return manifest


@pytest.fixture
def three(cluster: Cluster, name: str) -> str:
    """A Deployment of three pods."""
    cluster.apply(probe("Deployment", name, {"spec": {"replicas": 3}}), field_manager=_OURS)
    return name


def _asked(cluster: Cluster, name: str) -> int:
    return int(cluster.require("Deployment", name)["spec"]["replicas"])


def _scale(cluster: Cluster, name: str, number: int) -> None:
    cluster.patch("Deployment", name, {"spec": {"replicas": number}}, subresource="scale")


def _owners_of_the_number(cluster: Cluster, name: str) -> set[str]:
    entries = cluster.require("Deployment", name)["metadata"]["managedFields"]
    return {e["manager"] for e in entries if "f:replicas" in e["fieldsV1"].get("f:spec", {})}


def test_a_number_that_its_last_owner_drops_is_reset(cluster: Cluster, three: str) -> None:
    cluster.apply(_numberless(three), field_manager=_OURS)
    assert _asked(cluster, three) == 1


def test_a_number_that_somebody_else_owns_too_stays(cluster: Cluster, three: str) -> None:
    cluster.apply(_number(three, 3), field_manager=_BETWEEN, force=False)
    assert _owners_of_the_number(cluster, three) == {_OURS, _BETWEEN}
    cluster.apply(_numberless(three), field_manager=_OURS)
    assert _asked(cluster, three) == 3
    assert _owners_of_the_number(cluster, three) == {_BETWEEN}


def test_who_scales_owns_and_nobody_else_does(cluster: Cluster, three: str) -> None:
    cluster.apply(_number(three, 3), field_manager=_BETWEEN, force=False)
    _scale(cluster, three, 7)
    cluster.apply(_numberless(three), field_manager=_OURS)
    assert _asked(cluster, three) == 7
    assert _owners_of_the_number(cluster, three) == {"somebody"}


def test_another_number_without_force_is_a_conflict(cluster: Cluster, three: str) -> None:
    _scale(cluster, three, 7)
    with pytest.raises(ConflictError):
        cluster.apply(_number(three, 3), field_manager=_BETWEEN, force=False)
    assert _asked(cluster, three) == 7


def test_what_was_read_before_somebody_scaled_is_a_conflict(cluster: Cluster, three: str) -> None:
    read = cluster.require("Deployment", three)["metadata"]["resourceVersion"]
    _scale(cluster, three, 7)
    with pytest.raises(ConflictError):
        cluster.apply(_number(three, 4, resourceVersion=read), field_manager=_BETWEEN)
    assert _asked(cluster, three) == 7


def test_a_number_that_is_forced_is_taken_back_whole(cluster: Cluster, three: str) -> None:
    """With the version that was read, where nobody scaled since."""
    _scale(cluster, three, 7)

    def take() -> None:
        read = cluster.require("Deployment", three)["metadata"]["resourceVersion"]
        try:
            cluster.apply(_number(three, 4, resourceVersion=read), field_manager=_BETWEEN)
        except ConflictError as late:  # the Deployment's controller wrote its status meanwhile
            raise AssertionError from late

    eventually(take)
    assert _asked(cluster, three) == 4
    assert _owners_of_the_number(cluster, three) == {_BETWEEN}


def test_the_same_number_taken_back_stays_the_other_s_too(cluster: Cluster, three: str) -> None:
    cluster.apply(_number(three, 3), field_manager=_BETWEEN, force=False)
    cluster.apply(_numberless(three), field_manager=_OURS)
    cluster.apply(probe("Deployment", three, {"spec": {"replicas": 3}}), field_manager=_OURS)
    assert _owners_of_the_number(cluster, three) == {_OURS, _BETWEEN}, "also with force"


# Objects that several share.


def _shared(name: str, data: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _keys(cluster: Cluster, name: str) -> dict[str, str]:
    return dict(cluster.require("ConfigMap", name).get("data") or {})


def _owners_of_key(cluster: Cluster, name: str, key: str) -> set[str]:
    entries = cluster.require("ConfigMap", name)["metadata"]["managedFields"]
    return {e["manager"] for e in entries if f"f:{key}" in e["fieldsV1"].get("f:data", {})}


@pytest.fixture
def two(cluster: Cluster, name: str) -> str:
    """A ConfigMap with a key of one manager's and a key of another's."""
    cluster.create(_shared(name, {}))
    for manager, key in (("one", "1883"), ("other", "8883")):
        cluster.apply(_shared(name, {key: manager}), field_manager=manager, force=False)
    return name


def test_keys_of_two_managers_stand_beside_each_other(cluster: Cluster, two: str) -> None:
    assert _keys(cluster, two) == {"1883": "one", "8883": "other"}


def test_another_value_for_somebody_s_key_is_a_conflict_that_names_them(cluster: Cluster, two: str) -> None:
    with pytest.raises(ConflictError, match=r"conflict with \\\"one\\\": \.data\.1883"):
        cluster.apply(_shared(two, {"8883": "other", "1883": "other"}), field_manager="other", force=False)
    assert _keys(cluster, two)["1883"] == "one"


def test_who_applies_without_their_key_gives_it_up_and_leaves_the_other_s(cluster: Cluster, two: str) -> None:
    cluster.apply(_shared(two, {}), field_manager="one", force=False)
    assert _keys(cluster, two) == {"8883": "other"}


def test_who_names_another_key_of_theirs_erases_the_first(cluster: Cluster, two: str) -> None:
    """So two services can't share a field manager."""
    cluster.apply(_shared(two, {"9883": "one"}), field_manager="one", force=False)
    assert _keys(cluster, two) == {"8883": "other", "9883": "one"}


def test_an_equal_value_is_owned_together_and_stays_until_the_last_gives_it_up(cluster: Cluster, two: str) -> None:
    cluster.apply(_shared(two, {"8883": "other", "1883": "one"}), field_manager="other", force=False)
    assert _owners_of_key(cluster, two, "1883") == {"one", "other"}
    cluster.apply(_shared(two, {}), field_manager="one", force=False)
    assert _keys(cluster, two) == {"8883": "other", "1883": "one"}
    assert _owners_of_key(cluster, two, "1883") == {"other"}
    cluster.apply(_shared(two, {"8883": "other"}), field_manager="other", force=False)
    assert _keys(cluster, two) == {"8883": "other"}


def test_force_takes_a_key_and_the_other_has_it_no_more(cluster: Cluster, two: str) -> None:
    cluster.apply(_shared(two, {"8883": "other", "1883": "other"}), field_manager="other")
    assert _owners_of_key(cluster, two, "1883") == {"other"}
    cluster.apply(_shared(two, {}), field_manager="one")
    assert _keys(cluster, two) == {"8883": "other", "1883": "other"}


def _ports(name: str, *ports: tuple[str, int]) -> Manifest:
    listed = [{"name": label, "port": port, "protocol": "TCP", "targetPort": port} for label, port in ports]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": listed}}


def _port_names(cluster: Cluster, name: str) -> set[str]:
    return {port["name"] for port in cluster.require("Service", name)["spec"]["ports"]}


@pytest.fixture
def ported(cluster: Cluster, name: str) -> str:
    """A Service of a controller's, with a port that one manager added."""
    cluster.create(_ports(name, ("https", 443)))
    cluster.apply(_ports(name, ("air", 8883)), field_manager="one", force=False)
    return name


def test_another_name_for_somebody_s_port_is_a_conflict(cluster: Cluster, ported: str) -> None:
    with pytest.raises(ConflictError, match="8883"):
        cluster.apply(_ports(ported, ("water", 8883)), field_manager="other", force=False)


def test_somebody_s_name_for_another_port_is_invalid(cluster: Cluster, ported: str) -> None:
    with pytest.raises(UnprocessibleEntityError, match="Duplicate value"):
        cluster.apply(_ports(ported, ("air", 8884)), field_manager="other", force=False)


def test_an_equal_port_stays_with_the_second_when_the_first_gives_it_up(cluster: Cluster, ported: str) -> None:
    cluster.apply(_ports(ported, ("air", 8883)), field_manager="other", force=False)
    cluster.apply(_ports(ported), field_manager="one", force=False)
    assert _port_names(cluster, ported) == {"https", "air"}
    cluster.apply(_ports(ported), field_manager="other", force=False)
    assert _port_names(cluster, ported) == {"https"}
