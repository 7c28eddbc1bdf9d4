"""The operator's settings, its entry point, and how it logs."""

import json
import logging
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator import __main__ as entry
from sensorthings_operator.clients.connection import NoClusterError, connect, from_kubeconfig
from sensorthings_operator.clients.errors import ApiError, GoneError, NotFoundError, api_error
from sensorthings_operator.desired.settings import OperatorSettings, load
from sensorthings_operator.logs import JsonFormatter


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "null"])
def test_nothing_given_is_the_defaults(tmp_path: Path, text: str) -> None:
    assert load(_file(tmp_path, text)) == OperatorSettings()


def test_names_are_those_of_the_chart(tmp_path: Path) -> None:
    settings = load(_file(tmp_path, "images: {frostHttp: 'localhost/frost:{version}'}\nwatchNamespaces: [a]\n"))
    assert settings.images.frost_http == "localhost/frost:{version}"
    assert settings.images.mosquitto == OperatorSettings().images.mosquitto
    assert settings.watch_namespaces == ["a"]


_WRONG = ["concurency: 4", "concurrency: 0", "resyncSeconds: 1", "imagePullPolicy: Sometimes", "[1, 2]", "images: x"]


@pytest.mark.parametrize("text", _WRONG)
def test_wrong_settings_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        load(_file(tmp_path, text))


@pytest.mark.parametrize("text", [*_WRONG, "a: [", "\tx: 1"])
def test_the_entry_point_ends_with_2_and_one_record(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.argv", ["operator", "--settings", str(_file(tmp_path, text))])
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert entry.main() == 2
    (record,) = caplog.records
    assert record.getMessage().startswith("can't start: ")
    assert record.exc_info is None


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_can_not_be_read_is_told(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.yaml"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr("sys.argv", ["operator", "--settings", str(path)])
    assert entry.main() == 2


def test_without_a_cluster_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(NoClusterError, match="KUBECONFIG"):
        connect()


def test_a_kubeconfig_with_a_token(tmp_path: Path) -> None:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://api", "certificate-authority-data": "UEVN"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    connection = from_kubeconfig(path)
    assert (connection.server, connection.ca, connection.token()) == ("https://api", "PEM", "t")


@pytest.mark.parametrize(
    "config", [{}, [], {"current-context": "c", "contexts": []}, {"current-context": "c", "contexts": [{"name": "c"}]}]
)
def test_an_incomplete_kubeconfig_is_told(tmp_path: Path, config: Any) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with pytest.raises(NoClusterError, match="no complete current context"):
        from_kubeconfig(path)


@given(st.text(), st.text() | st.none())
def test_a_log_record_is_one_line_of_json(message: str, service: str | None) -> None:
    record = logging.LogRecord("name", logging.WARNING, "file", 1, "%s", (message,), None)
    if service is not None:
        record.service = service
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert entry["message"] == message
    assert entry.get("service") == service
    assert entry["level"] == "WARNING"


def test_an_exception_is_in_the_line_too() -> None:
    try:
        raise ValueError("wrong")  # noqa: EM101, TRY003, RUF100
    except ValueError as error:
        record = logging.LogRecord("name", logging.ERROR, "f", 1, "m", (), (ValueError, error, error.__traceback__))
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "ValueError: wrong" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    ("status", "kind", "lasting"),
    [
        (404, NotFoundError, True),
        (410, GoneError, False),
        (409, ApiError, False),
        (429, ApiError, False),
        (422, ApiError, True),
        (403, ApiError, True),
        (500, ApiError, False),
        (503, ApiError, False),
    ],
)
def test_errors_are_told_apart(status: int, kind: type[ApiError], lasting: bool) -> None:
    error = api_error(status, {"reason": "R", "message": "m"})
    assert type(error) is kind
    assert error.is_lasting == lasting
    assert str(api_error(status, {})) == f"HTTP status {status}"
