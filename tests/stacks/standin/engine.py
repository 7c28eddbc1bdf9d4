"""Runs one program for one operation, in a process of its own, as Pulumi's language host starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent import futures
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from localcluster import modules
from tests.stacks import programs
from tests.stacks.standin import plan
from tests.stacks.standin.clouds import Clouds
from tests.stacks.standin.monitor import ORGANIZATION, Monitor
from tests.stacks.standin.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.stacks.standin.state import Record

PULUMI: Final = modules.Module(
    "github.com/pulumi/pulumi/sdk/v3", "v3.274.1", "h1:Sy2OifRLCPVmFMDTkp18yRk/YviwhJuGZU6vfLwruPM="
)
"""Pulumi's SDK for Go: it ships the program with which Pulumi runs Python, and the schemas of its state."""
_RUNNER: Final = Path("python", "cmd", "pulumi-language-python-exec")
_LARGEST: Final = 64 * 2**20
"""Of a message, in bytes."""

Operation = Literal["preview", "up"]


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    steps: Sequence[tuple[str, str]]
    """Pulumi's word for what happened to each resource, and its URN."""
    state: State
    """The stack afterwards; the same as before after a preview."""
    problems: Sequence[str] = field(default_factory=list)
    """Why it failed; empty where it did not."""
    seconds: float = 0
    """How long the program ran."""
    mebibytes: float = 0
    """The most memory that its process had, in MiB."""

    @property
    def changes(self) -> dict[str, int]:
        """How many resources were changed, by operation."""
        counted: dict[str, int] = {}
        for operation, _ in self.steps:
            if operation not in {"same", "read"}:
                counted[operation] = counted.get(operation, 0) + 1
        return counted


@dataclass
class City:
    """The stacks of a city, as they come up one after another."""

    name: str
    """The city."""
    layers: Sequence[str] = programs.LAYERS
    """Its layers, in order."""
    clouds: Clouds = field(default_factory=Clouds)
    """Where they come up."""
    states: dict[str, State] = field(default_factory=dict)
    """Their stacks."""
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What is configured otherwise than in the files: by layer, by whole key."""

    def run(self, operation: Operation, layer: str) -> Outcome:
        """Run one layer's program; after `up` its stack is what came of it."""
        config = {**programs.configuration(layer, self.name), **self.changes.get(layer, {})}
        references = {
            f"{ORGANIZATION}/{programs.project(other)['name']}/{self.name}": state
            for other, state in self.states.items()
        }
        old = self.states.get(layer, State())
        monitor = Monitor(
            programs.project(layer)["name"], self.name, old, references, self.clouds, dry=operation == "preview"
        )
        outcome = _run(monitor, layer, config, old)
        if operation == "up":
            self.states[layer] = outcome.state
        return outcome

    def all(self, operation: Operation) -> dict[str, Outcome]:
        """Run every layer in order; ends after the first that fails."""
        outcomes: dict[str, Outcome] = {}
        for layer in self.layers:
            outcomes[layer] = self.run(operation, layer)
            if outcomes[layer].problems:
                break
        return outcomes


@cache
def pulumi() -> Path:
    """The folder of Pulumi's SDK for Go. Raises LocalClusterError where it can't be had."""
    return modules.fetch(PULUMI)


def _run(monitor: Monitor, layer: str, config: Mapping[str, Any], old: State) -> Outcome:
    """Run a program, plan, and do it where it is no preview."""
    server = grpc.server(futures.ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", _LARGEST)])
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)  # type: ignore[no-untyped-call]
    engine_pb2_grpc.add_EngineServicer_to_server(monitor, server)  # type: ignore[no-untyped-call]
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    began = time.monotonic()
    try:
        code, mebibytes, written = _execute(layer, monitor.stack, address, config, dry=monitor.dry)
    finally:
        server.stop(grace=1).wait()
    seconds = time.monotonic() - began
    problems = list(monitor.refused)
    if code != 0:
        # Half a plan deletes nothing, and what was made is kept.
        told = monitor.messages or [written] if not problems else []
        return Outcome(monitor.steps, _kept(monitor, old), [*problems, *told], seconds, mebibytes)
    try:
        gone = _delete(monitor, old)
    except plan.Refused as error:
        return Outcome(monitor.steps, _kept(monitor, old), [str(error)], seconds, mebibytes)
    return Outcome([*monitor.steps, *gone], old if monitor.dry else State(monitor.new), [], seconds, mebibytes)


def destroy(old: State, clouds: Clouds) -> Outcome:
    """Take everything of a stack away, unless something is protected."""
    try:
        gone = plan.leaving(old.records, {})
    except plan.Refused as error:
        return Outcome([], old, [str(error)])
    steps = []
    for record in gone:
        steps.append(("discard" if record.retain else "delete", record.urn))
        if record.custom and not record.external and not record.retain:
            clouds.delete(record)
    return Outcome(steps, State())


def _kept(monitor: Monitor, old: State) -> State:
    """The stack after a run that failed: what was there, and what came to it."""
    return old if monitor.dry else State({**_by_new_names(monitor, old), **monitor.new})


def _by_new_names(monitor: Monitor, old: State) -> dict[str, Record]:
    return {urn: record for urn, record in old.records.items() if urn not in monitor.renamed}


def _delete(monitor: Monitor, old: State) -> list[tuple[str, str]]:
    steps = []
    for record in plan.leaving(_by_new_names(monitor, old), monitor.new):
        steps.append(("discard" if record.retain else "delete", record.urn))
        if not monitor.dry and record.custom and not record.external and not record.retain:
            monitor.clouds.delete(record)
    return steps


def _execute(layer: str, stack: str, address: str, config: Mapping[str, Any], *, dry: bool) -> tuple[int, float, str]:
    """Exit code, memory in MiB, and what was written to standard error."""
    folder = programs.STACKS / layer
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    project = programs.project(layer)
    secret = [f"{project['name']}:{key}" for key, entry in project["config"].items() if entry.get("secret")]
    options = {
        "monitor": address,
        "engine": address,
        "project": project["name"],
        "stack": stack,
        "organization": ORGANIZATION,
        "root_directory": str(folder),
        "parallel": "16",
        "dry_run": str(dry).lower(),
        "pwd": str(folder),
    }
    command = [sys.executable, str(pulumi() / _RUNNER)]
    command += [part for name, value in options.items() for part in (f"--{name}", value)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(programs.STACKS),
        "PULUMI_CONFIG": json.dumps(texts),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(secret),
    }
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([*command, str(folder)], env=environment, stdout=errors, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        return process.returncode, usage.ru_maxrss / 1024, errors.read().strip()
