"""``sensorthings backup``: backups of a service's managed database, made now, listed, restored.

It asks for what a person may do: create Jobs, and patch the service. All else is the operator's.
"""
