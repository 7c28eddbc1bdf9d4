"""The process ends with the operator, whatever a library still waits for."""

import subprocess
import sys
import time

import pytest

_PROGRAM = """
import asyncio, sys, time
from unittest import mock
from sensorthings_operator import __main__ as entry, entrypoint

class Operator:
    def __init__(self, *_, **__): ...
    async def run(self):
        # As a name server that does not answer: the call can't be taken back.
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)
        return {as_asked}

sys.argv = ["sensorthings-operator"]
with mock.patch.object(entry, "Operator", Operator), mock.patch.object(entrypoint, "connect"):
    sys.exit(entry.main())
"""


@pytest.mark.parametrize(("as_asked", "code"), [(True, 0), (False, 1)])
def test_it_waits_for_nobody_once_the_operator_has_stopped(as_asked: bool, code: int) -> None:
    begun = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(as_asked=as_asked)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert time.monotonic() - begun < 40
