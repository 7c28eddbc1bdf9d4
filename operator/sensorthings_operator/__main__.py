"""Entry point of the operator's pod: ``python -m sensorthings_operator [--settings FILE]``."""

import argparse
import gc
import logging
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import pydantic
import uvloop
import yaml

from sensorthings_operator import health
from sensorthings_operator.clients.connection import Connection, NoClusterError, connect
from sensorthings_operator.desired.settings import OperatorSettings, load
from sensorthings_operator.logs import log_as_json
from sensorthings_operator.operator import Operator

_LOG: Final = logging.getLogger("sensorthings_operator")
_GARBAGE_THRESHOLDS: Final = (20_000, 20, 20)
"""Python's own (700, 10, 10) look for cycles several times within each list that is parsed, where there are none: an
eighth of the time that a start takes."""


def main() -> int:
    """Run until a signal, and end the process: with 0 after a graceful stop, with 1 where another operator may act.

    Returns:
        2 where it can't start with what it was given.
    """
    parser = argparse.ArgumentParser(prog="sensorthings-operator", description="Operator of SensorThingsServices.")
    parser.add_argument("--settings", type=Path, help="YAML file with the operator's settings")
    parser.add_argument(
        "--health-port",
        type=int,
        default=health.PORT,
        help="port of /livez, /readyz and /metrics",
    )
    arguments = parser.parse_args()
    log_as_json()
    try:
        settings = OperatorSettings() if arguments.settings is None else load(arguments.settings)
        connection = connect()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, pydantic.ValidationError, NoClusterError) as error:
        _LOG.error("can't start: %s", error)
        return 2
    logging.getLogger().setLevel(settings.log_level)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    return uvloop.run(_run(connection, settings, arguments.health_port))


async def _run(connection: Connection, settings: OperatorSettings, health_port: int) -> NoReturn:
    identity = os.environ.get("POD_NAME", "")
    as_asked = await Operator(connection, settings, health_port=health_port, identity=identity).run()
    # All that is left goes with the process. Python would look for garbage in it first, and wait for name servers that
    # do not answer: seconds, in which the next operator stands by.
    logging.shutdown()
    os._exit(0 if as_asked else 1)


if __name__ == "__main__":
    sys.exit(main())
