"""Ids of Azure's built-in roles, the same in every tenant. Source: Microsoft, "Azure built-in roles"."""

from __future__ import annotations

from typing import Final

_DEFINITIONS: Final = "/providers/Microsoft.Authorization/roleDefinitions"

NETWORK_CONTRIBUTOR: Final = f"{_DEFINITIONS}/4d97b98b-1d4f-4787-a291-c67834d212e7"
"""May use and change networks, load balancers and public addresses."""
KEY_VAULT_SECRETS_USER: Final = f"{_DEFINITIONS}/4633458b-17de-408a-b874-0445c86b69e6"
"""May read secrets of a key vault."""
STORAGE_BLOB_DATA_CONTRIBUTOR: Final = f"{_DEFINITIONS}/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
"""May read, write and delete blobs."""
ACR_PULL: Final = f"{_DEFINITIONS}/7f951dda-4ed3-4680-a7ca-43fe172d538d"
"""May fetch images of a container registry."""
