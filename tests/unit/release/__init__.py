"""What people install, and the charts with the real Helm."""
