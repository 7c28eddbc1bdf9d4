"""``sensorthings status`` as a person calls it, with the real client of a Kubernetes API in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from sensorthings_operator.cli.status import command
from sensorthings_operator.cli.status.command import status
from sensorthings_operator.cli.status.snapshot import CHILDREN
from tests.unit.cli import objects
from tests.unit.cli.fake_kubernetes import TOKEN, Kubernetes
from tests.unit.cli.objects import NAME, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

app = typer.Typer()
app.command()(status)


@pytest.fixture
def kubernetes() -> Iterator[Kubernetes]:
    with Kubernetes(objects.healthy()) as fake:
        yield fake


@pytest.fixture
def run(kubernetes: Kubernetes, tmp_path: Path) -> Callable[..., Result]:
    def run(*arguments: str, namespace: str | None = None) -> Result:
        kubeconfig = str(kubernetes.kubeconfig(tmp_path, namespace))
        result = CliRunner().invoke(app, ["--kubeconfig", kubeconfig, *arguments])
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def test_ready_ends_with_0(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert f"✔ {NAMESPACE}/{NAME}  Ready" in result.stdout
    assert "Deployment traffic-lights-http  2/2 ready" in result.stdout
    assert result.stderr == ""
    assert {request.split()[0] for request in kubernetes.requests} == {"GET"}


def test_not_ready_ends_with_3(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    kubernetes.objects = objects.troubled()
    result = run(NAME, "-n", NAMESPACE)
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert "What to do" in lines[1]
    assert TOKEN not in result.output


def test_one_of_several_not_ready_ends_with_3(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    kubernetes.objects += objects.renamed(objects.troubled(), "air", "hamburg")
    assert run().exit_code == 3
    assert run(NAME).exit_code == 0
    assert run("air").exit_code == 3


@pytest.mark.parametrize(
    "arguments", [["other"], [NAME, "-n", "bremen"], ["-n", "bremen"], ["other", "--output", "json"]]
)
def test_not_there_ends_with_4(run: Callable[..., Result], arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 4
    assert "There is no SensorThingsService" in result.stderr
    assert all(word in result.stderr for word in arguments if word in {"other", "bremen"})
    if "json" in arguments:
        assert json.loads(result.stdout) == {"ready": False, "services": [], "notes": []}


def test_services_of_the_same_name_are_kept_apart(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    kubernetes.objects += objects.renamed(objects.troubled(), NAME, "bremen")
    both = json.loads(run(NAME, "-o", "json").stdout)
    assert [(one["namespace"], one["ready"]) for one in both["services"]] == [("bremen", False), ("hamburg", True)]
    pods = [
        [pod["name"] for part in one["parts"] for each in part["workloads"] for pod in each["pods"]]
        for one in both["services"]
    ]
    assert len(pods[1]) == len([live for live in objects.healthy() if live["kind"] == "Pod"])
    assert not set(pods[0]) & {"traffic-lights-http-6d5f7c8b9f-7wq2x"}


def test_without_the_custom_resource_it_is_not_there(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    kubernetes.answers["SensorThingsService"] = 404
    result = run()
    assert result.exit_code == 4
    assert "knows no SensorThingsServices" in result.stderr
    assert "Install the custom resources" in result.stderr


@pytest.mark.parametrize(
    ("answer", "said"), [(401, "log in again"), (403, "role `view`"), (500, "Look at the API server")]
)
def test_refused_ends_with_1(run: Callable[..., Result], kubernetes: Kubernetes, answer: int, said: str) -> None:
    kubernetes.answers["SensorThingsService"] = answer
    result = run("-n", NAMESPACE)
    assert result.exit_code == 1
    assert f"{answer}, SensorThingsService is refused here" in result.stderr
    assert "at http://127.0.0.1:" in result.stderr
    assert said in result.stderr


def test_who_may_not_list_all_namespaces_sees_their_own(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    kubernetes.answers["SensorThingsService", ""] = 403
    result = run(namespace=NAMESPACE)
    assert result.exit_code == 0
    assert "Only namespace hamburg is shown" in " ".join(result.stdout.split())
    assert run(namespace="bremen").exit_code == 4


def test_without_cert_manager_that_is_said_where_a_certificate_is_asked_for(
    run: Callable[..., Result], kubernetes: Kubernetes
) -> None:
    kubernetes.answers["Certificate"] = 404
    result = run()
    assert result.exit_code == 0
    assert "Is cert-manager installed?" in " ".join(result.stdout.split())
    del kubernetes.objects[0]["spec"]["certificate"]
    assert "cert-manager" not in run().stdout
    kubernetes.answers["Certificate"] = 403
    assert "Note" not in run().stdout


def test_what_may_not_be_listed_is_told_in_one_line(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    kubernetes.answers |= {kind.name: 403 for kind in CHILDREN}
    result = run()
    assert result.exit_code == 0
    assert result.stdout.count("Note:") == 1


@pytest.mark.parametrize("kind", [kind.name for kind in CHILDREN])
@pytest.mark.parametrize("answer", [403, 404, 500])
def test_a_kind_that_can_not_be_listed_is_said(
    run: Callable[..., Result], kubernetes: Kubernetes, kind: str, answer: int
) -> None:
    kubernetes.answers[kind] = answer
    result = run()
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    if (kind, answer) == ("Certificate", 404):
        assert "No Certificate can be shown" in said
    else:
        assert "Note: Not shown" in said
        assert next(each.plural for each in CHILDREN if each.name == kind) in said
        assert said.count("Note:") == 1


def test_a_cluster_that_does_not_answer_ends_with_1(run: Callable[..., Result]) -> None:
    result = run("--context", "elsewhere")
    assert result.exit_code == 1
    assert "The API server does not answer" in result.stderr
    assert "at http://127.0.0.1:9" in result.stderr


def test_a_kubeconfig_without_a_current_context(kubernetes: Kubernetes, tmp_path: Path) -> None:
    kubeconfig = kubernetes.kubeconfig(tmp_path)
    kubeconfig.write_text(kubeconfig.read_text().replace("current-context: city", "current-context: ''"))
    arguments = ["--kubeconfig", str(kubeconfig)]
    assert CliRunner().invoke(app, arguments).exit_code == 1
    assert CliRunner().invoke(app, [*arguments, "--context", "city"]).exit_code == 0


def test_unknown_context(run: Callable[..., Result]) -> None:
    result = run("--context", "nowhere")
    assert result.exit_code == 1
    assert "No cluster" in result.stderr
    assert "nowhere" in result.stderr


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(app, ["--kubeconfig", str(tmp_path / "none")]).exit_code == 2
    empty = tmp_path / "empty"
    empty.write_text("")
    result = CliRunner().invoke(app, ["--kubeconfig", str(empty)])
    assert result.exit_code == 1
    assert f"at {empty}" in result.stderr
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "Name a kubeconfig" in result.stderr


@pytest.mark.parametrize("arguments", [["--output", "yaml"], ["a", "b"], ["--watch=maybe"]])
def test_wrong_call_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


class Watching:
    """Does something at each pause of ``--watch``, and then interrupts."""

    def __init__(self, *steps: Callable[[], Any]) -> None:
        self._steps = iter(steps)

    def __call__(self) -> None:
        step = next(self._steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()


def test_watching_writes_a_line_for_each_change(
    run: Callable[..., Result], kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> None:
        """Nothing changes."""

    def worse() -> None:
        kubernetes.objects = objects.troubled()

    def gone() -> None:
        kubernetes.objects = []

    monkeypatch.setattr(command, "pause", Watching(nothing, worse, nothing, gone))
    result = run("--watch", "--output", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["ready"], len(line["services"])) for line in lines] == [(True, 1), (False, 1), (False, 0)]
    assert result.exit_code == 4


def test_watching_goes_on_while_the_cluster_does_not_answer(
    run: Callable[..., Result], kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        kubernetes.answers["SensorThingsService"] = 500

    def back() -> None:
        kubernetes.answers.clear()
        kubernetes.objects = objects.troubled()

    monkeypatch.setattr(command, "pause", Watching(refuse, back))
    result = run("--watch")
    assert "500, SensorThingsService is refused here" in result.stderr
    assert result.stdout.count("hamburg/traffic-lights") == 2
    assert result.exit_code == 3


def test_watching_begins_with_a_cluster_that_answers(run: Callable[..., Result], kubernetes: Kubernetes) -> None:
    kubernetes.answers["SensorThingsService"] = 500
    assert run("--watch").exit_code == 1


def test_watching_in_a_terminal_draws_in_place(
    run: Callable[..., Result], kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        kubernetes.answers["SensorThingsService"] = 500

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LINES", "200")
    monkeypatch.setattr(command, "pause", Watching(refuse))
    result = run("--watch")
    assert result.exit_code == 0
    assert "since then: The services can't be listed" in result.stdout
    assert "\x1b[1A" in result.stdout
    assert "\x1b[32m" in result.stdout
