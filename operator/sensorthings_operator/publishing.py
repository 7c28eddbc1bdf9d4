"""Has entries for the datasets of services kept in catalogues beside the passes, and withdrawn at their end.

Where a service has entries stands in its status: by that they are withdrawn when the spec names a catalogue no more.
Used by the reconcile.
"""

import asyncio
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from sensorthings_operator.api.status import PublicationStatus
from sensorthings_operator.clients.ckan import Ckan, CkanError
from sensorthings_operator.clients.ckan_entries import CkanEntries, Publication, Published, PublishTarget
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.publishing import ENTRIES_PUBLISHED, PublishingReason
from sensorthings_operator.desired import catalogue
from sensorthings_operator.desired.catalogue.entries import Entry
from sensorthings_operator.desired.reading import Reading
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.answers import last_answer_of_now
from sensorthings_operator.observe.probes import Probes

_RELEASE_SECONDS: Final = 30.0
"""How long a try to withdraw entries of a deleted service may take."""

_ANSWERS: Final = frozenset(PublishingReason) - {PublishingReason.AWAITED, PublishingReason.SECRET}

Body = Mapping[str, Any]
Places = tuple[PublicationStatus, ...]


@dataclass(frozen=True)
class Known:
    """What is known of a service's entries."""

    answer: Answer | None = None
    places: Places = ()
    """Where it may have some."""

    @property
    def waits(self) -> bool:
        """Whether somebody has to make a Secret, of which nobody tells."""
        return self.answer is not None and self.answer.reason == PublishingReason.SECRET


@dataclass(frozen=True)
class _Made:
    """Entries, and what they were made of: they are not made anew in each pass."""

    reading: Reading | None
    generation: int
    entries: Mapping[str, tuple[Entry, ...]] | None


class Publishing:
    """The entries of all services."""

    def __init__(
        self,
        client: KubernetesClient,
        settings: OperatorSettings,
        *,
        ckan: CkanEntries,
        probes: Probes[PublishTarget],
    ) -> None:
        self._client = client
        self._settings = settings
        self._ckan = ckan
        self._probes = probes
        self._made: dict[ServiceKey, _Made] = {}

    def forget(self, key: ServiceKey) -> None:
        """Keep them no longer."""
        self._probes.forget(key)
        self._made.pop(key, None)

    async def look(self, body: Body, service: Service) -> Known:
        """What is known of a service's entries; they are looked after from now on.

        Raises:
            ApiError: A Secret could not be asked for.
        """
        recorded, wanted = recorded_places(body), _wanted(service)
        if service.spec.paused or not (recorded or wanted):
            self.forget(service.key)
            return Known(places=recorded)
        places = _united(wanted, recorded)
        urls = {place.url for place in wanted}
        entries, problems = self._entries(service), list[str]()
        publications: list[Publication] = []
        for place in places:
            former = place.url not in urls
            if not former and entries is None:
                continue
            found = await self._ckan_of(service.namespace, place)
            if isinstance(found, str):
                problems.append(found)
            else:
                publications.append(Publication(found, () if entries is None else entries.get(place.url, ()), former))
        answer = self._asked(body, service, tuple(publications))
        # A place in which nothing was ever written has nothing to withdraw.
        known = {place.url for place in recorded} | {publication.ckan.url for publication in publications}
        gone = _withdrawn(answer) - urls
        left = tuple(place for place in places if place.url in known - gone)
        if problems:
            return Known(_not_yet(PublishingReason.SECRET, "; ".join(problems)), left)
        if entries is None and (answer is None or answer.holds):
            return Known(_not_yet(PublishingReason.AWAITED, "what the data holds is not known yet"), left)
        return Known(answer, left)

    def _asked(self, body: Body, service: Service, publications: tuple[Publication, ...]) -> Answer | None:
        if not publications:
            self._probes.forget(service.key)
            return None
        target = PublishTarget(service.namespace, service.name, service.uid, publications)
        # Without it, each start of the operator would take the condition away.
        before = last_answer_of_now(body, ENTRIES_PUBLISHED.type, _ANSWERS)
        return self._probes.watch(service.key, target, known=before) or before

    def _entries(self, service: Service) -> Mapping[str, tuple[Entry, ...]] | None:
        known = self._made.get(service.key)
        if known is None or (known.reading, known.generation) != (service.reading, service.generation):
            made = catalogue.entries(service, self._settings)
            known = self._made[service.key] = _Made(service.reading, service.generation, made)
        return known.entries

    async def release(self, body: Body) -> tuple[str, ...]:
        """Withdraw all entries of a service, by its metadata and status; a sentence for each that may be left."""
        metadata = body["metadata"]
        self.forget((metadata["namespace"], metadata["name"]))
        recorded = recorded_places(body)
        written = {place.url for place in recorded}
        places = _united(_given(body), recorded)
        told = await asyncio.gather(
            *(self._withdrawn_from(metadata, place, written=place.url in written) for place in places)
        )
        return tuple(each for each in told if each)

    async def _withdrawn_from(self, metadata: Mapping[str, Any], place: PublicationStatus, *, written: bool) -> str:
        try:
            ckan = await self._ckan_of(metadata["namespace"], place)
            if isinstance(ckan, str):
                return ckan if written else ""
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._ckan.withdraw(ckan, metadata["uid"])
        except (ApiError, CkanError) as error:
            return f"entries at {place.url}: {error.message}"
        except TimeoutError:
            return f"entries at {place.url}: it takes longer than {_RELEASE_SECONDS:g} s"
        return ""

    async def _ckan_of(self, namespace: str, place: PublicationStatus) -> Ckan | str:
        """Where it is and as whom it is asked; a sentence for people where its Secret can't be used.

        Raises:
            ApiError: The Secret could not be asked for.
        """
        try:
            live = await self._client.get(SECRETS, namespace, place.secret)
        except NotFoundError:
            return f"Secret {place.secret} is not there: make it, with the key token, for {place.url}"
        held = live.get("data") or {}
        token, ca = (_decoded(held.get(key, "")) for key in ("token", "ca.crt"))
        if not token or not token.isascii() or not token.isprintable():
            return f"Secret {place.secret} has no key token with an API token in one line, for {place.url}"
        return Ckan(place.url, place.organization, place.secret, token, ca)


def recorded_places(body: Body) -> Places:
    """Where a service may have entries, as its status says."""
    given = body.get("status", {}).get("catalogue", {}).get("publications", ())
    return tuple(PublicationStatus.model_validate(each) for each in given)


def is_used(body: Body, service: Service) -> bool:
    """Whether a service has entries outside the cluster, or shall have some."""
    return bool(_wanted(service) or recorded_places(body))


def _wanted(service: Service) -> Places:
    spec = service.spec.catalogue
    given = [] if spec is None else [target.ckan for target in spec.targets if target.ckan is not None]
    return tuple(
        PublicationStatus(url=each.url, organization=each.organization, secret=each.credentials_secret_ref.name)
        for each in given
    )


def _given(body: Body) -> Places:
    """What the spec names, which may be unreadable as a whole."""
    targets = ((body.get("spec") or {}).get("catalogue") or {}).get("targets") or ()
    found: list[PublicationStatus] = []
    for target in targets:
        try:
            ckan = target["ckan"]
            named = {"url": ckan["url"], "organization": ckan["organization"]}
            found.append(PublicationStatus(**named, secret=ckan["credentialsSecretRef"]["name"]))
        except (KeyError, TypeError, ValidationError):
            continue
    return tuple(found)


def _united(wanted: Places, recorded: Places) -> Places:
    """All places, each as it is given now."""
    return tuple({place.url: place for place in (*recorded, *wanted)}.values())


def _withdrawn(answer: Answer | None) -> frozenset[str]:
    return answer.withdrawn if isinstance(answer, Published) else frozenset()


def _not_yet(reason: PublishingReason, message: str) -> Answer:
    return Answer(holds=False, reason=reason.value, message=message)


def _decoded(value: str) -> str:
    try:
        return b64decode(value).decode().strip()
    except (NotBase64, UnicodeDecodeError):
        return ""
