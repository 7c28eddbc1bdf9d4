"""Fixtures of several modules."""

import pytest

from tests.unit.operator.fake_api import FakeApi
from tests.unit.operator.samples import UID, body


@pytest.fixture
def api() -> FakeApi:
    """An API server that has the service ``air``."""
    api = FakeApi()
    api.put(body(), uid=UID)
    return api
