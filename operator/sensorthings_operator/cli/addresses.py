"""The addresses that people type: of a SensorThings service, of its MQTT endpoint, and of one of its entities.

Called by ``sensorthings observe`` and by the loader in ``examples/hamburg``; everything here is parsing, without I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self
from urllib.parse import quote, urlencode

from yarl import URL

from sensorthings_operator.desired.entities import EntityId, key

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SERVICE: Final = "http://127.0.0.1:8080/FROST-Server/v1.1"
DEFAULT_BROKER: Final = "mqtt://127.0.0.1:1883"

_VERSION: Final = re.compile(r"^v\d+\.\d+$")
_LOCATION_ID: Final = re.compile(r"\((?:'(?P<text>.+)'|(?P<number>\d+))\)/?$", re.DOTALL)
_TRANSPORTS: Final[dict[str, tuple[Literal["tcp", "websockets"], bool, int]]] = {
    "mqtt": ("tcp", False, 1883),
    "mqtts": ("tcp", True, 8883),
    "ws": ("websockets", False, 80),
    "wss": ("websockets", True, 443),
}
"""Of each scheme: what it runs over, whether in TLS, and its port."""
_PATH_CHARACTERS: Final = "/()'"
_QUERY_CHARACTERS: Final = "$,()'/=@"  # written as they are, so that a URL in an error stays readable
_WEBSOCKET_PATH: Final = "/mqtt"  # FROST-Server's default


@dataclass(frozen=True, slots=True)
class ServiceUrl:
    """Where a service is: its URL down to the version, such as ``http://127.0.0.1:8080/FROST-Server/v1.1``."""

    root: URL

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed.

        Raises:
            ValueError: with a sentence that says what is allowed.
        """
        url = _parse(text, schemes=("http", "https"), example=DEFAULT_SERVICE).with_query(None)
        root = url.with_path(url.raw_path.rstrip("/"), encoded=True)
        if not _VERSION.match(root.name):
            message = f"'{text}' does not end in the version of the API; write it like {DEFAULT_SERVICE}"
            raise ValueError(message)
        return cls(root)

    def __str__(self) -> str:
        return str(self.root)

    @property
    def version(self) -> str:
        """The last part of the path, which also begins every MQTT topic: ``v1.1``."""
        return self.root.name

    def at(self, path: str, query: Mapping[str, str] | None = None) -> URL:
        """The URL of a resource path such as ``Datastreams(1)/Observations``, with options such as ``$filter``."""
        # Spaces as %20: not every server reads + as a space.
        options = urlencode(query or {}, quote_via=quote, safe=_QUERY_CHARACTERS)
        return URL(f"{self.root}/{quote(path, safe=_PATH_CHARACTERS)}{f'?{options}' if options else ''}", encoded=True)

    def here(self, link: str) -> URL:
        """A link of the service (``@iot.nextLink``), at the address the service is reached at from here.

        The service writes links with its public URL, which need not be reachable from where this runs.

        Raises:
            ValueError: the link has no version in its path.
        """
        public = URL(link, encoded=True)
        _, own_root, resource = public.raw_path.partition(f"{self.root.raw_path}/")
        if not own_root:
            _, version, resource = public.raw_path.partition(f"/{self.version}/")
            if not version:
                message = f"the link '{link}' does not hold the version '{self.version}'"
                raise ValueError(message)
        query = f"?{public.raw_query_string}" if public.raw_query_string else ""
        return URL(f"{self.root}/{resource}{query}", encoded=True)

    def observations_topic(self, datastream: EntityId) -> str:
        """The MQTT topic of a Datastream's Observations (SensorThings 1.1, section 14.2)."""
        return f"{self.version}/{key('Datastreams', datastream)}/Observations"


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """Where a service's MQTT endpoint is, over TCP or over WebSocket, with or without TLS."""

    transport: Literal["tcp", "websockets"]
    tls: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed: ``mqtt://host:1883``, ``mqtts://host``, ``ws://host:9876/mqtt``, ``wss://host/mqtt``.

        Raises:
            ValueError: with a sentence that says what is allowed.
        """
        url = _parse(text, schemes=tuple(_TRANSPORTS), example=f"{DEFAULT_BROKER} or wss://iot.city.example/mqtt")
        transport, tls, port = _TRANSPORTS[url.scheme]
        path = "" if transport == "tcp" else url.raw_path.rstrip("/") or _WEBSOCKET_PATH
        if transport == "tcp" and url.raw_path.rstrip("/"):
            message = f"'{text}' has a path, which only ws:// and wss:// know; a topic is named with --topic"
            raise ValueError(message)
        return cls(transport, tls, url.host or "", url.explicit_port or port, path)

    def __str__(self) -> str:
        own = (self.transport, self.tls)
        scheme = next(scheme for scheme, (transport, tls, _) in _TRANSPORTS.items() if own == (transport, tls))
        return str(URL.build(scheme=scheme, host=self.host, port=self.port, path=self.path))


def entity_id(text: str) -> EntityId:
    """The identifier that a person typed: a number where it is one."""
    return int(text) if text.isascii() and text.isdecimal() else text


def located_id(location: str) -> EntityId:
    """The identifier at the end of a ``Location`` header.

    Raises:
        ValueError: the header does not end in a key.
    """
    match = _LOCATION_ID.search(location)
    if match is None:
        message = f"'{location}' does not end in the key of an entity"
        raise ValueError(message)
    return int(match["number"]) if match["number"] else match["text"].replace("''", "'")


def _parse(text: str, *, schemes: tuple[str, ...], example: str) -> URL:
    hint = f"write it like {example}"
    try:
        url = URL(text.strip())
        port = url.port or url.explicit_port
    except ValueError as error:
        message = f"'{text}' is not a URL ({error}); {hint}"
        raise ValueError(message) from error
    if url.scheme not in schemes or not url.host or port == 0:
        message = f"'{text}' is not a URL that begins with {' or '.join(f'{s}://' for s in schemes)} and a host; {hint}"
        raise ValueError(message)
    if url.user is not None or url.password is not None:
        message = f"the URL holds a user or a password, which is not supported here; {hint}"
        raise ValueError(message)
    return url.with_fragment(None)
