"""The only input and output with the outside: the Kubernetes API and databases."""
