"""How entities are named in the paths of the SensorThings API (OGC 18-088, section 9.2.3). Used by all its clients."""

EntityId = int | str
"""FROST-Server counts by default; a service may also name its entities by strings."""


def key(entity_set: str, entity: EntityId) -> str:
    """A resource path by key: ``Datastreams(1)``, or ``Datastreams('a')`` for an identifier that is a string."""
    quoted = entity if isinstance(entity, int) else "'" + entity.replace("'", "''") + "'"
    return f"{entity_set}({quoted})"
