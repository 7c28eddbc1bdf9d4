"""What a city configures, one module per layer. Each project's `Pulumi.yaml` says the same; a test compares them."""
