"""Run by the interpreter that has pycsw: a catalogue service on a port of the loopback; the argument is its folder."""

import os
import sys
import warnings
from pathlib import Path
from wsgiref.simple_server import make_server

warnings.simplefilter("ignore")
folder, port = Path(sys.argv[1]), int(sys.argv[2])
os.environ["PYCSW_CONFIG"] = str(folder / "pycsw.cfg")

from pycsw.core import admin  # type: ignore[import-untyped]  # noqa: E402 - it reads the environment
from pycsw.wsgi import application  # type: ignore[import-untyped]  # noqa: E402 - as above

admin.setup_db(f"sqlite:///{folder}/records.db", "records", str(folder))
make_server("127.0.0.1", port, application).serve_forever()
