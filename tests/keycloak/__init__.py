"""Against a real Keycloak: what the operator makes in a realm, and what FROST-Server then lets pass."""
