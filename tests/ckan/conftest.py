"""One CKAN for the session, and for each test an organization of its own with an editor of it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from localcluster.errors import LocalClusterError
from sensorthings_operator.clients.ckan import Ckan
from tests.ckan import installation
from tests.ckan.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def portal() -> Iterator[Portal]:
    """A CKAN that answers; it is gone at the end of the session."""
    try:
        installed = installation.installation()
    except (LocalClusterError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no CKAN {installation.CKAN} with Solr {installation.SOLR}: {error}")
    running = Portal(installed)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def ckan(portal: Portal) -> Ckan:
    """Where and as whom the operator is to publish: as an editor, who is no administrator."""
    organization = f"office-{uuid4().hex[:8]}"
    return Ckan(portal.url, organization, "ckan-token", portal.editor(organization))
