"""Publishing into a real CKAN with a real Solr."""

from tests.ckan.contract import EntriesContract


class TestEntries(EntriesContract):
    """All of the contract."""
