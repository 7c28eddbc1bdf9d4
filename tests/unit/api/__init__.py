"""Tests of the custom resources as types, schemas and documents."""
