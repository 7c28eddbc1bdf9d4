"""What to send, what to prune, and what came of it."""
