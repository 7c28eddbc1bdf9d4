"""Entry point of the operator's pod: ``python -m sensorthings_operator [--settings FILE]``."""

import argparse
import gc
import logging
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import uvloop

from sensorthings_operator import health
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.entrypoint import CANT_START, begin
from sensorthings_operator.operator import Operator

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
    begun = begin(arguments.settings)
    if begun is None:
        return CANT_START
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    return uvloop.run(_run(*begun, arguments.health_port))


async def _run(settings: OperatorSettings, connection: Connection, health_port: int) -> NoReturn:
    identity = os.environ.get("POD_NAME", "")
    as_asked = await Operator(connection, settings, health_port=health_port, identity=identity).run()
    # All that is left goes with the process. Python would look for garbage in it first, and wait for name servers that
    # do not answer: seconds, in which the next operator stands by.
    logging.shutdown()
    os._exit(0 if as_asked else 1)


if __name__ == "__main__":
    sys.exit(main())
