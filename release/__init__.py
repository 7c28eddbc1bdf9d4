"""What people install: the chart of the custom resource definitions, and `install.yaml`."""
