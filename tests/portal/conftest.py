"""What the image holds, made once; a browser for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.portal import stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> stage.Built:
    """The server and the page."""
    return stage.build(tmp_path_factory.mktemp("portal"))


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with stage.browser() as running:
        yield running
