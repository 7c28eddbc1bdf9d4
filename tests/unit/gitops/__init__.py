"""What GitOps tools make of a service's status, and the manifests for them in ``examples/gitops``."""
