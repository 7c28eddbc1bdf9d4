"""The token service: mints the tokens of connectors and their devices, renews them, and hands them out.

A process of its own beside the operator (``python -m sensorthings_operator.tokenservice``), restartable at any time:
what it needs to know stands in Keycloak and in the Secrets that it writes. No client secret is kept anywhere else than
in Keycloak, and no token is logged.
"""
