"""``sensorthings status``: what stands of a service, from its conditions down to its pods. Reads only.

``cluster`` is all the input and output there is: it takes a snapshot. ``assembly`` makes of it, pure, the tree that
``model`` describes; ``text`` draws the tree, and ``model`` writes it as JSON. ``command`` puts them together.
"""
