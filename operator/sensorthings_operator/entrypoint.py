"""What every process of the operator's image begins with: its log, its settings, and the way to the API server."""

import logging
from pathlib import Path
from typing import Final

import pydantic
import yaml

from sensorthings_operator.clients.connection import Connection, NoClusterError, connect
from sensorthings_operator.desired.settings import OperatorSettings, load
from sensorthings_operator.logs import log_as_json

CANT_START: Final = 2
"""Exit status of a process that can't start with what it was given."""
_LOG: Final = logging.getLogger(__name__)


def begin(settings_file: Path | None) -> tuple[OperatorSettings, Connection] | None:
    """Log as JSON from now on; the settings and the connection, or None where the log says why there are none.

    Args:
        settings_file: YAML; the defaults where it is None.
    """
    log_as_json()
    try:
        settings = OperatorSettings() if settings_file is None else load(settings_file)
        connection = connect()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, pydantic.ValidationError, NoClusterError) as error:
        _LOG.error("can't start: %s", error)
        return None
    logging.getLogger().setLevel(settings.log_level)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    return settings, connection
