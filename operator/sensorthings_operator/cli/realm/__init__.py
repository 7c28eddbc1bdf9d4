"""``sensorthings realm``: a realm in Keycloak in which the operator may make clients, and nothing more.

``api.realm``, ``directory`` and ``manifest`` say what a realm has and what is printed, ``words`` why something is
refused: all pure. ``administrator`` is the input and output there is; ``hands`` changes with it, or tells how it would;
``making`` and ``federation`` are the steps. ``command`` puts them together.
"""
