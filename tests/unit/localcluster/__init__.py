"""Tests of the local cluster: what computes, parses and renders, and its small daemons."""
