"""``sensorthings database``: the servers of a service's database.

``figures`` reads what the operator knows of them through the API server, ``command`` prints it.
"""
