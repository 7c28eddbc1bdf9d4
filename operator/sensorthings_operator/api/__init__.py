"""The custom resources as types: the one source of the CRDs, their defaults, their CEL rules and the API reference."""
