"""Publishing, against a real CKAN with a real Solr. `make ckan` runs it."""
