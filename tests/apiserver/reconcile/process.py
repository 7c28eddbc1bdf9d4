"""The operator as a process of its own: started, asked for its metrics, stopped as a kubelet does it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.apiserver.reconcile.fake_database_operator import ANSWERS
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_READS: Final = {"get", "list", "watch"}
FAKE_DATABASES: Final = "tests.apiserver.reconcile.fake_database_operator"
REAL: Final = "sensorthings_operator"


class OperatorProcess:
    """One operator; ``module`` says whether databases are asked or faked."""

    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        settings: Mapping[str, Any],
        *,
        module: str = FAKE_DATABASES,
        identity: str = "operator",
        python: str = sys.executable,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._kubeconfig = kubeconfig
        self._module = module
        self._identity = identity
        self._python = python
        self._settings = folder / "settings.yaml"
        self._settings.write_text(yaml.safe_dump(dict(settings)))
        self._answers = folder / "database-answers.json"
        self._answers.write_text("{}")
        self._log = folder / "operator.log"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._process is None:
            self.start()
        return self

    def standing_by(self) -> Self:
        """Started beside another one, which acts."""
        self.start(until_ready=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=10)

    def exit_code(self) -> int | None:
        """None while it runs."""
        assert self._process is not None
        return self._process.poll()

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, until_ready: bool = True) -> None:
        """Start it; wait until it has listed everything."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._python,
                    "-m",
                    self._module,
                    f"--settings={self._settings}",
                    f"--health-port={self._port}",
                ],
                stderr=log,
                stdout=log,
                env={
                    **os.environ,
                    "KUBECONFIG": str(self._kubeconfig),
                    "POD_NAME": self._identity,
                    ANSWERS: str(self._answers),
                },
            )
        if until_ready:
            eventually(self._require_ready, seconds=60)

    def _require_ready(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, f"the operator ended:\n{self.log()}"
        assert self.answers("/readyz") == 200, self.log()

    def answers(self, path: str) -> int:
        """HTTP status of the health endpoint; 0 where nothing listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def stop(self) -> int:
        """SIGTERM as a kubelet sends it; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20)

    def restart(self) -> None:
        """Stop it gracefully and start it again: nothing is remembered but what stands in the cluster."""
        assert self.stop() == 0, self.log()
        self.start()

    def log(self) -> str:
        """Everything it wrote."""
        return self._log.read_text()

    def records(self) -> list[dict[str, Any]]:
        """Its log records."""
        return [json.loads(line) for line in self.log().splitlines()]

    def database_says(self, host: str, answer: str, message: str) -> None:
        """What the fake database at a host answers from now on."""
        known = json.loads(self._answers.read_text())
        replacement = self._answers.with_suffix(".new")
        replacement.write_text(json.dumps({**known, host: [answer, message]}))
        replacement.replace(self._answers)

    def calls(self) -> dict[tuple[str, str, str], int]:
        """API calls by verb, kind and status code."""
        return {
            (labels["verb"], labels["kind"], labels["code"]): int(value)
            for labels, value in self._samples("sensorthings_operator_api_calls_total")
        }

    def writes(self) -> int:
        """API calls that write, since it started; but for the Lease, which is renewed as time goes by."""
        return sum(count for (verb, kind, _), count in self.calls().items() if verb not in _READS and kind != "Lease")

    def passes(self) -> int:
        """Finished passes since it started."""
        return int(sum(value for _, value in self._samples("sensorthings_operator_passes_total")))

    def repairs(self, kind: str) -> int:
        """Children of a kind that were brought back."""
        samples = self._samples("sensorthings_operator_drift_repairs_total")
        return int(sum(value for labels, value in samples if labels["kind"] == kind))

    def total(self, name: str) -> float:
        """Of a metric, over all labels."""
        return sum(value for _, value in self._samples(name))

    def rss_mebibytes(self) -> float:
        """Resident memory."""
        with open(f"/proc/{self.pid}/status") as status:  # noqa: PTH123
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def _samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        families = text_string_to_metric_families(text)
        return [(s.labels, s.value) for family in families for s in family.samples if s.name == name]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
