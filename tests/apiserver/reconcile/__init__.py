"""The operator as a process against a real API server, with the rights that its chart gives it."""
