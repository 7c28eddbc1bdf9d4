"""The operator's core without a cluster."""
