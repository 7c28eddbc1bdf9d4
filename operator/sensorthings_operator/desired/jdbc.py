"""The JDBC driver through which FROST-Server acknowledges nothing that was not committed: its ConfigMap and its mount.

FROST-Server logs a COMMIT that failed and answers 201 (its ConnectionWrapper.commit, at least from 2.0.0 to 2.4.2). Of
an exception that the driver throws in its place a request ends with 500. ``jdbc/`` has its source. Used by ``frost``.
"""

import base64
from functools import cache
from importlib.resources import files
from typing import Final

from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = "jdbc"
_FILE: Final = "committed-jdbc.jar"
_MOUNT_PATH: Final = "/etc/sensorthings/jdbc"
_VOLUME: Final = "jdbc"
JAR: Final = f"{_MOUNT_PATH}/{_FILE}"
JAVA_OPTION: Final = f"-javaagent:{JAR}"
"""Makes the driver known, whatever class path the image has."""


def build(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The ConfigMap."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(service, COMPONENT, _name(service)),
            "binaryData": {_FILE: _driver()},
        }
    ]


def volume(service: Service) -> Manifest:
    """Volume of a module's pod."""
    return {"name": _VOLUME, "configMap": {"name": _name(service)}}


def mount() -> Manifest:
    """Mount of a module's container."""
    return {"name": _VOLUME, "mountPath": _MOUNT_PATH, "readOnly": True}


def _name(service: Service) -> str:
    return f"{service.name}-jdbc"


@cache
def _driver() -> str:
    return base64.b64encode(files("sensorthings_operator.desired").joinpath("files", _FILE).read_bytes()).decode()
