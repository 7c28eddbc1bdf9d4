"""Gathers what is there into an ``Observed``."""
