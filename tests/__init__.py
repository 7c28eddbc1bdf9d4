"""All tests, as one package: tables that several of them read are imported by name."""
