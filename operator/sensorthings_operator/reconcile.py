"""One pass over one service: the ordered list of steps from what is wanted to what is there, and to the status.

Level-triggered: a pass looks at everything and remembers nothing but what stands in the cluster. Called by the queue.
"""

import asyncio
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sensorthings_operator import desired
from sensorthings_operator.api.parse import InvalidSpec, parse_service
from sensorthings_operator.apply.children import Children
from sensorthings_operator.apply.finalizer import RELEASE
from sensorthings_operator.apply.outcome import Applied, Outcome, refused
from sensorthings_operator.apply.owners import OwnerGoneError
from sensorthings_operator.apply.plan import Plan, Plans
from sensorthings_operator.apply.secrets import Secrets
from sensorthings_operator.cataloguing import Cataloguing
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.conditions.unobserved import UnobservedReason
from sensorthings_operator.delivery import Delivery
from sensorthings_operator.desired import addresses, basic, buscertificates
from sensorthings_operator.desired.database import pgbackrest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.validation import validate
from sensorthings_operator.gates import Gate, gate, rounds
from sensorthings_operator.observe import databases, doubts, managed, references, restores, users
from sensorthings_operator.observe.bodies import Body
from sensorthings_operator.observe.databases import Target, last_database_answer
from sensorthings_operator.observe.gather import gather
from sensorthings_operator.observe.keycloak import realm_ca
from sensorthings_operator.observe.probes import Probes
from sensorthings_operator.observe.secrets import SecretReader, SecretsRead
from sensorthings_operator.observe.services import Services
from sensorthings_operator.outside import Outside
from sensorthings_operator.reporting import Reporter

_SECRET_SECONDS: Final = 5.0
"""How soon a Secret that can't be used is looked for again: the operator watches no Secrets."""
_RELEASE_SECONDS: Final = 5.0
"""How soon the release of what a deleted service has outside is tried again."""
_LONGEST_RELEASE: Final = timedelta(minutes=10)
"""A service that is deleted does not wait longer for a Keycloak that may never come back."""
_REFUSED_SECONDS: Final = 30.0
"""How soon a child that was refused is tried again."""


@dataclass(frozen=True)
class _Pass:
    """What a pass works with, once it has read everything that children are made from."""

    body: Body
    service: Service
    secrets: SecretsRead
    plan: Plan


class Reconciler:
    """Brings services to their specs, one pass at a time for each."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        client: KubernetesClient,
        *,
        settings: OperatorSettings,
        services: Services,
        store: OwnedStore,
        served: Container[str],
        probes: Probes[Target],
        outside: Outside,
        delivery: Delivery,
        cataloguing: Cataloguing,
        reporter: Reporter,
    ) -> None:
        self._client = client
        self._settings = settings
        self._services = services
        self._store = store
        self._probes = probes
        self._outside = outside
        self._delivery = delivery
        self._cataloguing = cataloguing
        self._children = Children(client, store, served=served, repaired=reporter.repaired)
        self._own_secrets = Secrets(client, store, self._children.owners)
        self._plans = Plans(settings)
        self._secrets = SecretReader(client)
        self._reporter = reporter

    async def reconcile(self, key: ServiceKey) -> float | None:
        """One pass; the seconds after which to look again, None where only a change is worth a look.

        Raises:
            ApiError: The API server could not be asked or refused for now; the queue tries again later.
        """
        body = self._services.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._probes.forget(key)
            self._outside.forget(key)
            self._delivery.forget(key)
            self._cataloguing.forget(key)
            self._children.rivals.forget(key)
            self._plans.forget(key)
            return None if body is None else await self._release(body)
        try:
            service = _service(body)
        except InvalidSpec as error:
            await self._reporter.invalid(
                body, UnobservedReason.INVALID_SPEC, [str(problem) for problem in error.problems]
            )
            return None
        problems = validate(service.spec)
        if problems:
            told = [f"{problem.path}: {problem.message}" for problem in problems]
            await self._reporter.invalid(body, problems[0].reason, told)
            return None
        try:
            with self._children.owners.in_pass(service.uid, is_new="status" not in body):
                return await self._steps(body, service)
        except OwnerGoneError:
            return None

    async def _release(self, body: Body) -> float | None:
        """Let a deleted service go once nothing of it is left outside, or after it was tried for long enough."""
        if not RELEASE.is_held(body):
            return None
        left = await self._outside.release(body)
        deleted = datetime.fromisoformat(body["metadata"]["deletionTimestamp"])
        given_up = self._reporter.now() - deleted > _LONGEST_RELEASE
        if left:
            reason = UnobservedReason.RELEASE_GIVEN_UP if given_up else UnobservedReason.RELEASE_WAITING
            await self._reporter.release(body, reason, left)
        if left and not given_up:
            return _RELEASE_SECONDS
        await RELEASE.drop(self._client, body)
        return None

    async def _steps(self, body: Body, service: Service) -> float | None:
        if not service.spec.paused:
            body = await self._outside.prepare(body, service)
            self._services.wrote(body)
            await self._drop_users(body, service)
        service = replace(service, serving=restores.held(self._store, service, body))
        live, results = await self._apply_secrets(service)
        secrets, service = await self._read_secrets(service, live)
        holder = self._services.holder_of_host(service.key)
        service = replace(
            service,
            realm_ca=realm_ca(service, self._settings),
            host_holder=None if holder == service.key else holder,
            reads_at_primary=databases.reads_at_primary(self._probes, service, body),
        )
        service = managed.prepared(
            self._store,
            service,
            body,
            answer=self._probes.answer(service.key),
            keys_missing=bool(secrets.missing_for_backups),
            now=self._reporter.now(),
        )
        service, published = await self._cataloguing.look(service)
        observed, waiting = await self._apply_stages(_Pass(body, service, secrets, self._plans.begin(service)), results)
        entries = await self._outside.entries(body, service)
        observed = replace(
            observed,
            mqtt_port=await self._outside.port(body, service, writable=not waiting),
            keycloak=self._outside.identity(body, service),
            host=self._outside.host(body, service),
            delivery=await self._delivery.look(body, service),
            catalogue=published,
            published=entries.answer,
            publications=entries.places,
            contested=self._children.rivals.of(service.key),
            references=await references.look(self._client, observed),
        )
        if observed.database is None and self._probes.asks(service.key):
            observed = replace(observed, database=last_database_answer(body))
        await self._reporter.observed(body, observed)
        if doubts.of_secret(observed, secrets):
            return _SECRET_SECONDS
        # Nobody watches the ingress controller's objects, nor what the spec refers to.
        port_refused = observed.mqtt_port is not None and not observed.mqtt_port.holds
        wrong = observed.apply_problems or port_refused or observed.references or entries.waits
        refused_later = _REFUSED_SECONDS if wrong else None
        tried_again = managed.look_again(observed, self._reporter.now())
        later = (refused_later, self._children.rivals.look_again(service.key), secrets.look_again, tried_again)
        return min((seconds for seconds in later if seconds is not None), default=None)

    async def _apply_secrets(self, service: Service) -> tuple[dict[str, dict[str, Any]], list[Applied]]:
        live: dict[str, dict[str, Any]] = {}
        results: list[Applied] = []
        if service.spec.paused:
            return live, results
        for manifest in desired.stage_children(desired.SECRETS, service, self._settings):
            try:
                live[manifest["metadata"]["name"]] = await self._own_secrets.apply(manifest)
            except ApiError as error:
                if not error.is_lasting:
                    raise
                results.append(refused(manifest, error))
        return live, results

    async def _drop_users(self, body: Body, service: Service) -> None:
        """Delete the Secret of the operator's own user, where there are no users any more."""
        name = basic.delivery_secret_name(service)
        made = self._store.get("Secret", service.namespace, name) is not None or users.were_used(body)
        if made and not basic.is_used(service):
            await self._own_secrets.remove(service.namespace, name, service.uid)

    async def _read_secrets(self, service: Service, live: Mapping[str, dict[str, Any]]) -> tuple[SecretsRead, Service]:
        address = addresses.database_address(service, self._settings)
        secrets = await self._secrets.read(service, address, live)
        return secrets, replace(service, secret_digests=secrets.digests)

    def _observe(self, now: _Pass, results: list[Applied]) -> Observed:
        service, secrets = now.service, now.secrets
        answer = None
        if secrets.credentials is None or service.spec.hibernated or not databases.runs(self._store, service):
            self._probes.forget(service.key)
        else:
            target = databases.target(service, self._settings, secrets.credentials)
            answer = self._probes.watch(service.key, target, known=last_database_answer(now.body))
        observed = gather(
            self._store, service, schema_job=now.plan.schema_job, secrets=secrets, database=answer, applied=results
        )
        observed = managed.look(self._store, observed, now.body, self._reporter.now())
        if doubts.of_database(observed):
            self._probes.doubt(service.key)
        wanted = users.target(observed, secrets, self._settings)
        return replace(observed, users=self._outside.users(now.body, service, wanted))

    async def _apply_stages(self, now: _Pass, results: list[Applied]) -> tuple[Observed, bool]:
        """Apply what can be applied; what was seen in the end, and whether a stage waits."""
        observed = self._observe(now, results)
        if now.service.spec.paused:
            return observed, True
        waiting = False
        for stages in rounds(observed):
            gates = {stage: gate(stage, observed) for stage in stages}
            applied = await self._apply_round(now, gates)
            waiting = waiting or Gate.SHUT in gates.values() or any(each.outcome is Outcome.WAITING for each in applied)
            results = [*results, *applied]
            if any(result.outcome is not Outcome.UNCHANGED for result in applied):
                observed = self._observe(now, results)
        if not waiting and all(result.outcome is not Outcome.REFUSED for result in results):
            await self._prune_secrets(now.service)
            await self._children.prune(now.service.uid, now.service.key, now.plan.names())
        return observed, waiting

    async def _prune_secrets(self, service: Service) -> None:
        """Before what mounts them: no watch tells of a Secret that is left."""
        left = (
            (
                buscertificates.is_wanted(service),
                "StatefulSet",
                addresses.bus_name(service),
                buscertificates.secret_name,
            ),
            (pgbackrest.wanted(service), "CronJob", pgbackrest.name(service), pgbackrest.certificates_name),
        )
        for wanted, kind, name, secret in left:
            user = self._store.get(kind, service.namespace, name)
            if not wanted and user is not None and user.owner_uid == service.uid:
                await self._own_secrets.remove(service.namespace, secret(service), service.uid)

    async def _apply_round(self, now: _Pass, gates: Mapping[desired.Stage, Gate]) -> list[Applied]:
        """Apply the children of stages side by side, where they do not stand as they should."""
        plan = now.plan
        stages = [stage for stage, found in gates.items() if found is not Gate.SHUT]
        stages = [stage for stage in stages if not plan.stands(stage, self._store)]
        before = {stage: plan.found(stage, self._store) for stage in stages}
        applied = await asyncio.gather(
            *(self._children.apply_all(plan.manifests(each), updates=gates[each] is Gate.OPEN) for each in stages),
            return_exceptions=True,
        )
        results: list[Applied] = []
        for stage, found in zip(stages, applied, strict=True):
            if isinstance(found, BaseException):
                raise found
            plan.keep(stage, found, before=before[stage], after=plan.found(stage, self._store))
            results += found
        return results


def _service(body: Body) -> Service:
    metadata = body["metadata"]
    return Service(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        spec=parse_service(body, unknown_fields="ignore").spec,
    )
