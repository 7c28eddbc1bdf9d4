"""What the operator makes of manifests, in full, for people to read and for changes to show."""
