"""Changes one realm and tells what was done; or, in a dry run, what would be. Used by ``making`` and ``federation``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensorthings_operator.cli.realm.administrator import Administrator


@dataclass(frozen=True)
class Hands:
    """What a realm is looked at and changed with.

    Attributes:
        tell: told of each change in a line without secrets.
        dry: nothing is changed. What then hangs on something that is not there is not looked at.
    """

    keycloak: Administrator
    realm: str
    tell: Callable[[str], None]
    dry: bool = False

    def at(self, *parts: str, **query: str) -> str:
        """A path below the realm; its parts are such as ``clients`` or an id."""
        path = "/".join(("realms", *(quote(part, safe="") for part in (self.realm, *parts))))
        return f"{path}?{urlencode(query)}" if query else path

    async def find(self, *parts: str, **query: str) -> Any:
        """What stands at a path; None where there is nothing. Raises SensorThingsError as ``Administrator.find``."""
        return await self.keycloak.find(self.at(*parts, **query))

    async def change(self, subject: str, done: str, method: str, path: str, body: Any = None) -> None:
        """Send a change, and tell of it: ``done`` is such as "made".

        Raises:
            SensorThingsError: as ``Administrator.send``.
        """
        if not self.dry:
            await self.keycloak.send(method, path, body)
        self.tell(f"{subject}: {'would be ' if self.dry else ''}{done}")

    def leave(self, subject: str) -> None:
        """Tell that nothing has to be changed."""
        self.tell(f"{subject}: as it should be")
