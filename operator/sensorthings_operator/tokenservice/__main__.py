"""Entry point of the token service's pod: ``python -m sensorthings_operator.tokenservice --settings FILE``."""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

import uvloop

from sensorthings_operator import health
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.entrypoint import CANT_START, begin
from sensorthings_operator.tokenservice import door
from sensorthings_operator.tokenservice.service import TokenService


def main() -> int:
    """Run until a signal, and end the process with 0.

    Returns:
        2 where it can't start with what it was given.
    """
    parser = argparse.ArgumentParser(prog="sensorthings-tokens", description="Token service of connectors.")
    parser.add_argument("--settings", type=Path, help="YAML file with the operator's settings")
    parser.add_argument("--name", default="sensorthings-operator-tokens", help="of its Service and its Secret")
    parser.add_argument("--health-port", type=int, default=health.PORT, help="port of /livez, /readyz and /metrics")
    parser.add_argument("--door-port", type=int, default=door.PORT, help="port of the door for external connectors")
    arguments = parser.parse_args()
    begun = begin(arguments.settings)
    if begun is None:
        return CANT_START
    return uvloop.run(_run(*begun, arguments))


async def _run(settings: OperatorSettings, connection: Connection, arguments: argparse.Namespace) -> NoReturn:
    await TokenService(
        connection,
        settings,
        name=arguments.name,
        health_port=arguments.health_port,
        door_port=arguments.door_port,
    ).run()
    # As the operator: all that is left goes with the process.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
