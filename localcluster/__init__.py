"""A real Kubernetes cluster on one Debian machine, for trying, testing and measuring."""
