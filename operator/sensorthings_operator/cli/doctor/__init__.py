"""``sensorthings doctor``: the chain from a service's Keycloak to its readers and writers, link by link.

``asking`` is the input and output there is, with ``cluster``, ``web`` and ``mqtt``: it makes an ``Observed``, and
creates nothing. ``judging`` says, pure, what of it is wrong and what to do, with ``reaching`` and ``tokenjudging``;
``findings`` writes that as JSON. ``command`` puts them together.
"""
