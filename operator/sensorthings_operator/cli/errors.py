"""The errors that the command line's clients raise; each says what was wrong, where, and what to do.

Raised by ``sensorthings``, ``subscription`` and ``tokens``; shown by ``observe`` and by ``examples/hamburg``.
"""

from __future__ import annotations


class SensorThingsError(Exception):
    """Something a person must act on: what was wrong, where, and what to do."""

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(f"{what}\n  at {where}\n  {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


class AnswerError(SensorThingsError):
    """The service answered, with a status that is not the one asked for."""

    def __init__(self, what: str, *, where: str, remedy: str, status: int) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status
