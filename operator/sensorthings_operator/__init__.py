"""The sensorthings-operator package."""
