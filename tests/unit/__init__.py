"""Tests of pure functions: no process, no network."""
