"""Bare processes have what the pods have: a Secret that a pod mounts and nobody fills would end a benchmark."""

from benchmarks.processes import config_map_values, secret_values
from sensorthings_operator import desired
from tests.unit.operator.samples import SETTINGS, service


def test_every_secret_that_a_pod_mounts_has_the_values_that_it_takes() -> None:
    manifests = desired.children(service(), SETTINGS)
    held = {each["metadata"]["name"]: secret_values(each) for each in manifests if each["kind"] == "Secret"}
    pods = [each["spec"]["template"]["spec"] for each in manifests if "template" in each.get("spec", {})]
    mounted = [volume["secret"] for pod in pods for volume in pod["volumes"] if "secret" in volume]
    assert {secret["secretName"] for secret in mounted} == set(held)
    for secret in mounted:
        assert {item["key"] for item in secret.get("items", ())} <= set(held[secret["secretName"]])


def test_every_config_map_that_a_pod_mounts_holds_files() -> None:
    manifests = desired.children(service(), SETTINGS)
    held = {each["metadata"]["name"]: config_map_values(each) for each in manifests if each["kind"] == "ConfigMap"}
    assert all(held.values())
    assert held["air-jdbc"]["committed-jdbc.jar"].startswith(b"PK")


def test_every_variable_that_a_secret_fills_has_its_value() -> None:
    manifests = desired.children(service(), SETTINGS)
    held = {each["metadata"]["name"]: secret_values(each) for each in manifests if each["kind"] == "Secret"}
    pods = [each["spec"]["template"]["spec"] for each in manifests if "template" in each.get("spec", {})]
    containers = [each for pod in pods for each in (*pod.get("initContainers", ()), *pod["containers"])]
    filled = [
        each["valueFrom"]["secretKeyRef"] for box in containers for each in box.get("env", ()) if "valueFrom" in each
    ]
    assert filled
    for chosen in filled:
        assert held[chosen["name"]][chosen["key"]]
