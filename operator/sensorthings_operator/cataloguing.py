"""Has the data of services looked at beside the passes, and knows what is said of it. Used by the reconcile.

What was read stays what is published while a service can't be asked, also over a start of the operator: the ConfigMap
holds it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from sensorthings_operator.clients.datasets import DataRead, DataTarget
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.clients.resources import CONFIG_MAPS
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import catalogue
from sensorthings_operator.desired.reading import Reading
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.catalogue import target
from sensorthings_operator.observe.probes import Probes

_MOST_GAPS: Final = 3
"""Sentences that a condition repeats."""
_NOT_YET: Final = Answer(holds=False, reason=CatalogueReason.NOT_ASKED, message="the data is being looked at")


@dataclass(frozen=True)
class _Known:
    """What a service's description was made from, and what came of it."""

    reading: Reading
    published: Answer | None = None

    @property
    def answer(self) -> Answer:
        """Of the question that was asked before."""
        return DataRead(holds=True, reason=CatalogueReason.PUBLISHED, message="", summary=self.reading.summary)


class Cataloguing:
    """What is known of the data of services that have a catalogue."""

    def __init__(
        self,
        client: KubernetesClient,
        store: OwnedStore,
        settings: OperatorSettings,
        probes: Probes[DataTarget],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._store = store
        self._settings = settings
        self._probes = probes
        self._now = now
        self._known: dict[ServiceKey, _Known] = {}

    def forget(self, key: ServiceKey) -> None:
        """Look no longer."""
        self._probes.forget(key)
        self._known.pop(key, None)

    async def look(self, service: Service) -> tuple[Service, Answer | None]:
        """The service with what its data held, and what is said of its catalogue; nothing where it has none.

        Raises:
            ApiError: The API server could not be asked for what was published before.
        """
        spec = service.spec.catalogue
        if spec is None:
            self.forget(service.key)
            return service, None
        problems = catalogue.obstacles(spec)
        known = self._known.get(service.key) or await self._kept(service)
        answer = self._asked(service, known)
        known = self._taken(service, answer, known)
        if problems:
            return service, _invalid(problems)
        if known is None:
            return service, answer or _NOT_YET
        seen = replace(service, reading=known.reading)
        if answer is not None and not answer.holds:
            return seen, replace(answer, message=f"{answer.message}. What was published before stays")
        if known.reading.generation != service.generation:
            return seen, _NOT_YET
        if known.published is None:
            known = replace(known, published=self._published(seen))
            self._known[service.key] = known
        return seen, known.published

    def _asked(self, service: Service, known: _Known | None) -> Answer | None:
        asked = target(self._store, service, self._settings)
        if asked is not None:
            # One that was read before the operator started can wait for its turn.
            fresh = known is not None and known.reading.generation == service.generation
            before = known.answer if known is not None and fresh else None
            return self._probes.watch(service.key, asked, known=before)
        self._probes.forget(service.key)
        told = "no pod of the HTTP module is ready to be asked what the data is"
        return Answer(holds=False, reason=CatalogueReason.NOT_ASKED, message=told)

    def _taken(self, service: Service, answer: Answer | None, known: _Known | None) -> _Known | None:
        """What is known now, with the day on which it became so."""
        if isinstance(answer, DataRead):
            day = self._now().strftime("%Y-%m-%d")
            now = Reading(summary=answer.summary, generation=service.generation, day=day)
            same = known is not None and now == known.reading.model_copy(update={"day": day})
            known = known if same else _Known(now)
        if known is not None:
            self._known[service.key] = known
        return known

    async def _kept(self, service: Service) -> _Known | None:
        """What the ConfigMap holds."""
        if self._store.get(CONFIG_MAPS.kind, service.namespace, catalogue.name(service)) is None:
            return None
        try:
            live = await self._client.get(CONFIG_MAPS, service.namespace, catalogue.name(service))
            return _Known(Reading.model_validate_json(live["data"][catalogue.READING_KEY]))
        except (NotFoundError, KeyError, ValidationError):
            # Gone, or changed by others: it is made anew from what is read next.
            return None

    def _published(self, service: Service) -> Answer:
        """What comes of a description: written once for each change, to be looked at."""
        made = catalogue.written(service, self._settings)
        spec, reading = service.spec.catalogue, service.reading
        if made is None or spec is None or reading is None:
            raise AssertionError(service.key)
        name = catalogue.name(service)
        if not made.fits:
            told = (
                f"the descriptions have {made.size} bytes, and a ConfigMap takes {made.most}: publish fewer layers, "
                "with unlisted: Leave in spec.catalogue.datasets"
            )
            return Answer(holds=False, reason=CatalogueReason.TOO_LARGE, message=told)
        wrong = (*made.problems, *catalogue.gaps(spec, reading))
        if wrong:
            return _invalid(wrong)
        told = f"{made.datasets} datasets are described in ConfigMap {name}"
        return Answer(holds=True, reason=CatalogueReason.PUBLISHED, message=told)


def _invalid(problems: tuple[str, ...]) -> Answer:
    more = f"; and {len(problems) - _MOST_GAPS} more" if len(problems) > _MOST_GAPS else ""
    told = f"{'; '.join(problems[:_MOST_GAPS])}{more}"
    return Answer(holds=False, reason=CatalogueReason.INVALID, message=told)
