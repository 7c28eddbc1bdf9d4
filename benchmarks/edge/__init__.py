"""What the edge costs, what a step of load does, and what clients notice of changes."""
