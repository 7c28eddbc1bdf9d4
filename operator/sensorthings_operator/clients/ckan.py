"""Calls to the action API of a CKAN, as whoever a token belongs to. Used by ``ckan_entries``.

https://docs.ckan.org/en/2.12/api/. No token and no body of an answer stands in an error, but for CKAN's own words about
what it refuses.
"""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from sensorthings_operator.conditions.publishing import PublishingReason

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_MOST_BYTES: Final = 16 * 2**20
"""Of an answer: a thousand entries."""
_LONGEST_TOLD: Final = 300
_INDEX: Final = re.compile(rb"search index|search connection|solr", re.IGNORECASE)
"""In the answer of a CKAN whose Solr is away."""
_REDIRECTS: Final = range(300, 400)


class CkanError(Exception):
    """A CKAN can't be worked on, or refuses something: the reason for a condition, and what to do about it."""

    def __init__(self, reason: PublishingReason, message: str, *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.fields = fields
        """What of an entry it refuses, where it does."""

    @property
    def concerns_one_entry(self) -> bool:
        """Whether others may be taken."""
        return self.reason in (PublishingReason.NAME_TAKEN, PublishingReason.REFUSED)


@dataclass(frozen=True)
class Ckan:
    """Where one is, and as whom it is asked. The token is never printed."""

    url: str
    """Without a slash at its end."""
    organization: str
    """Name of the organization whose datasets are made there."""
    secret: str
    """Name of the Secret with the token, for people."""
    token: str = field(repr=False)
    ca: str = field(default="", repr=False)
    """Certificates in PEM; empty where any public CA will do."""


class CkanApi:
    """The calls to one of them."""

    def __init__(self, http: aiohttp.ClientSession, ckan: Ckan) -> None:
        self._http = http
        self.ckan = ckan

    async def entries(self, extra: str, value: str) -> list[dict[str, Any]]:
        """All entries with an extra, as the search index has them, private ones and drafts, too.

        Raises:
            CkanError: It could not be asked.
        """
        query = {"fq": f'extras_{extra}:"{value}"', "rows": 1000, "include_private": True, "include_drafts": True}
        found = await self._call("package_search", query)
        if not isinstance(found, dict) or not isinstance(found.get("results"), list):
            raise self._no_ckan()
        return [entry for entry in found["results"] if isinstance(entry, dict)]

    async def entry(self, id_or_name: str) -> dict[str, Any] | None:
        """One entry, as the database has it, also one that is deleted; None where there is none to be seen.

        Raises:
            CkanError: It could not be asked.
        """
        found = await self._call("package_show", {"id": id_or_name}, missing_is_none=True)
        return found if isinstance(found, dict) else None

    async def organizations(self) -> frozenset[str]:
        """Names of those in which the token may make datasets.

        Raises:
            CkanError: It could not be asked.
        """
        found = await self._call("organization_list_for_user", {"permission": "create_dataset"})
        if not isinstance(found, list):
            raise self._no_ckan()
        return frozenset(str(each.get("name")) for each in found if isinstance(each, dict))

    async def create(self, fields: Mapping[str, Any]) -> None:
        """Make an entry.

        Raises:
            CkanError: It was refused.
        """
        await self._call("package_create", fields)

    async def patch(self, id_: str, fields: Mapping[str, Any]) -> None:
        """Change fields of an entry; others stay.

        Raises:
            CkanError: It was refused.
        """
        await self._call("package_patch", {**fields, "id": id_})

    async def delete(self, id_: str) -> None:
        """Delete an entry, as its editors would: an administrator can bring it back.

        Raises:
            CkanError: It was refused.
        """
        await self._call("package_delete", {"id": id_})

    def refused_token(self) -> CkanError:
        """The error for a token with which nothing can be written."""
        ckan = self.ckan
        return CkanError(
            PublishingReason.TOKEN,
            f"{ckan.url} lets nobody with the token of Secret {ckan.secret} make datasets in the organization "
            f"{ckan.organization}: is there such an organization, and is the token one of an editor's of it that is "
            "neither revoked nor expired?",
        )

    async def _call(self, action: str, body: Mapping[str, Any], *, missing_is_none: bool = False) -> object:
        status, text = await self._answer(action, body)
        if status == HTTPStatus.OK:
            return self._result(text)
        if missing_is_none and status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            return None
        raise self._refused(action, status, text)

    async def _answer(self, action: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        ckan = self.ckan
        try:
            async with self._http.post(
                f"{ckan.url}/api/3/action/{action}",
                json=body,
                headers={"Authorization": ckan.token},
                timeout=_TIMEOUT,
                # The token is for this address alone.
                allow_redirects=False,
                ssl=self._trust(),
            ) as answer:
                return answer.status, await self._whole(answer)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            told = f"{ckan.url} does not answer ({_named(error)}): is it up, and does the operator's pod reach it?"
            raise CkanError(PublishingReason.UNREACHABLE, told) from None

    async def _whole(self, answer: aiohttp.ClientResponse) -> bytes:
        """All pieces of an answer, of which there is no end to a bad one."""
        text = bytearray()
        async for piece in answer.content.iter_any():
            text += piece
            if len(text) > _MOST_BYTES:
                told = f"{self.ckan.url} answers with more than {_MOST_BYTES} bytes: correct its url"
                raise CkanError(PublishingReason.UNREACHABLE, told)
        return bytes(text)

    def _trust(self) -> ssl.SSLContext | bool:
        if not self.ckan.ca:
            return True
        try:
            return ssl.create_default_context(cadata=self.ckan.ca)
        except (ssl.SSLError, ValueError):
            told = f"ca.crt of Secret {self.ckan.secret} holds no certificates in PEM: correct it"
            raise CkanError(PublishingReason.SECRET, told) from None

    def _result(self, text: bytes) -> object:
        try:
            return json.loads(text)["result"]
        except (ValueError, KeyError, TypeError):
            raise self._no_ckan() from None

    def _no_ckan(self) -> CkanError:
        told = f"{self.ckan.url} does not answer as CKAN's action API does: correct its url"
        return CkanError(PublishingReason.UNREACHABLE, told)

    def _refused(self, action: str, status: int, text: bytes) -> CkanError:
        url = self.ckan.url
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return self.refused_token()
        if status in _REDIRECTS:
            told = f"{url} answers {action} with a redirect (HTTP status {status}): write where it leads to into url"
            return CkanError(PublishingReason.UNREACHABLE, told)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and _INDEX.search(text):
            told = f"{url} has lost its search index (Solr), and takes nothing as long: entries stay as they are"
            return CkanError(PublishingReason.SEARCH_DOWN, told)
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT):
            fields, told = _problems(text)
            return CkanError(PublishingReason.REFUSED, f"{url} refuses {action}: {told}", fields=fields)
        told = f"{url} answers {action} with HTTP status {status}: is a CKAN at this address, and is it well?"
        return CkanError(PublishingReason.UNREACHABLE, told)


def _problems(text: bytes) -> tuple[tuple[str, ...], str]:
    """The fields that CKAN refuses, and why in its own words."""
    try:
        error = json.loads(text)["error"]
        given = {str(name): told for name, told in error.items() if not str(name).startswith("__")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return (), "it does not say why"
    told = "; ".join(f"{name}: {_sentence(each)}" for name, each in given.items()) or "it does not say why"
    return tuple(given), told[:_LONGEST_TOLD]


def _sentence(told: object) -> str:
    return " ".join(map(str, told)) if isinstance(told, list) else str(told)


def _named(error: BaseException) -> str:
    """What failed, without what was sent."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    return type(error).__name__
