"""What the operator hears of a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensorthings_operator.api.database import DatabaseEndpoint
from sensorthings_operator.clients.database import Credentials, DatabaseAnswer, ask
from sensorthings_operator.desired.addresses import DatabaseAddress

if TYPE_CHECKING:
    from tests.e2e.images.conftest import Stack

_CREDENTIALS = Credentials("sensorthings", "test")


def _address(stack: Stack) -> DatabaseAddress:
    endpoint = DatabaseEndpoint(host="127.0.0.1", port=stack.database_port)
    return DatabaseAddress((endpoint,), "sensorthings", "air-db", "disable", None)


async def test_more_connections_than_it_takes_are_told_of(stack: Stack) -> None:
    """PostgreSQL takes 100 by default and keeps three of them for superusers."""
    assert (await ask(_address(stack), _CREDENTIALS, 97))[0] is DatabaseAnswer.REACHABLE
    answer, message = await ask(_address(stack), _CREDENTIALS, 98)
    assert answer is DatabaseAnswer.FEW_CONNECTIONS
    assert "takes 97 connections, where all pods together may open 98" in message


async def test_the_limits_of_the_role_and_the_database_count_too(stack: Stack) -> None:
    for limited in ("role", "database"):
        stack.sql("postgres", f"alter {limited} sensorthings connection limit 10")
        try:
            answer, message = await ask(_address(stack), _CREDENTIALS, 40)
            assert answer is DatabaseAnswer.FEW_CONNECTIONS
            assert "takes 10 connections" in message
        finally:
            stack.sql("postgres", f"alter {limited} sensorthings connection limit -1")
    assert (await ask(_address(stack), _CREDENTIALS, 40))[0] is DatabaseAnswer.REACHABLE
