"""How a managed pair of databases bears the loss of its primary, and what its standby costs."""
