"""Hands the number of a Deployment's pods to an autoscaler and takes it back, and no pod is lost on the way.

A field that its only field manager applies no more is reset to its default: ``spec.replicas`` to 1, on a service that
runs ten. So before a Deployment is applied without it, a second field manager owns the number that stands. Later it
belongs to who scales: the autoscaler, or a person with ``kubectl scale``. Used by the children.

What has to be done is read from the live Deployment alone: a pass that was cut short is taken up by the next.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from sensorthings_operator.apply.ownership import applied_fields
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import APPLIED_HASH_ANNOTATION, Owned, OwnedStore
from sensorthings_operator.clients.resources import resource_of
from sensorthings_operator.desired import autoscaling
from sensorthings_operator.desired.metadata import FIELD_MANAGER, REPLICAS_FIELD_MANAGER, Manifest
from sensorthings_operator.desired.workloads import MIN_REPLICAS_ANNOTATION

_UNFINISHED: Final = "unfinished"


def replicas_are_handed_over(manifest: Manifest) -> bool:
    """Whether it is a Deployment whose number of pods is somebody else's to decide."""
    return manifest["kind"] == "Deployment" and "replicas" not in manifest["spec"]


async def hand_over(client: KubernetesClient, store: OwnedStore, deployment: Manifest) -> Manifest:
    """What may be applied now: where the number of pods changes hands, it has.

    Raises:
        ApiError: The API server refused, or somebody scaled the Deployment at this very moment (a conflict).
    """
    if not replicas_are_handed_over(deployment):
        await _end_autoscaler(client, store, deployment)
        return deployment
    uid = await _let_go(client, deployment)
    # One that was deleted since would be made anew, with a single pod: with its uid that is a conflict.
    return {**deployment, "metadata": {**deployment["metadata"], "uid": uid}}


def is_lent_in_vain(deployment: Manifest, known: Owned | None) -> bool:
    """Whether the number of pods is ours, and the field manager in between has it as well."""
    return known is not None and known.replicas_lent and not replicas_are_handed_over(deployment)


async def take_back(client: KubernetesClient, deployment: Manifest) -> dict[str, Any]:
    """The field manager in between lets go; the number stays, since it is ours too. The Deployment afterwards."""
    described = {name: deployment["metadata"][name] for name in ("name", "namespace")}
    nothing = {"apiVersion": deployment["apiVersion"], "kind": deployment["kind"], "metadata": described}
    return await client.apply(nothing, field_manager=REPLICAS_FIELD_MANAGER)


async def _end_autoscaler(client: KubernetesClient, store: OwnedStore, deployment: Manifest) -> None:
    """Pruning comes at the end of a pass and not while a part of the service waits; until then it would scale."""
    described = deployment["metadata"]
    known = store.get(autoscaling.KIND, described["namespace"], described["name"])
    owner_uid = described["ownerReferences"][0]["uid"]
    if known is None or known.fields is None or known.owner_uid != owner_uid:
        return
    with suppress(NotFoundError):
        await client.delete(_AUTOSCALERS, known.namespace, known.name, uid=known.uid)


async def _let_go(client: KubernetesClient, deployment: Manifest) -> str:
    """Make sure that applying the Deployment without its number of pods leaves that number alone; its uid."""
    fewest = int(deployment["metadata"]["annotations"][MIN_REPLICAS_ANNOTATION])
    live = await _find(client, deployment)
    if live is None:
        live = await client.apply(_first(deployment, fewest), field_manager=FIELD_MANAGER)
    if _is_ours(live):
        await _take_over(client, live, fewest)
    return str(live["metadata"]["uid"])


async def _find(client: KubernetesClient, deployment: Manifest) -> dict[str, Any] | None:
    described = deployment["metadata"]
    try:
        return await client.get(resource_of(deployment), described["namespace"], described["name"])
    except NotFoundError:
        return None


def _first(deployment: Manifest, fewest: int) -> Manifest:
    """What a Deployment is made of: with a number, and with no hash of it, since it is not yet what is wanted."""
    described = deployment["metadata"]
    annotations = {**described["annotations"], APPLIED_HASH_ANNOTATION: _UNFINISHED}
    return {
        **deployment,
        "metadata": {**described, "annotations": annotations},
        "spec": {**deployment["spec"], "replicas": fewest},
    }


def _is_ours(live: Mapping[str, Any]) -> bool:
    fields = applied_fields(live["metadata"], FIELD_MANAGER) or {}
    return "f:replicas" in fields.get("f:spec", {})


async def _take_over(client: KubernetesClient, live: Mapping[str, Any], fewest: int) -> None:
    """Have the second field manager own the number that stands, or the fewest pods where that is more.

    An autoscaler leaves a Deployment without pods alone, and adds to one with too few only at its next look.
    """
    number = max(live["spec"]["replicas"], fewest)
    raised = number != live["spec"]["replicas"]
    described = {name: live["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    if not raised:
        # Without force another number is a conflict; the Deployment's controller may write its status meanwhile.
        del described["resourceVersion"]
    await client.apply(
        {
            "apiVersion": live["apiVersion"],
            "kind": live["kind"],
            "metadata": described,
            "spec": {"replicas": number},
        },
        field_manager=REPLICAS_FIELD_MANAGER,
        force=raised,
    )


_AUTOSCALERS: Final = resource_of({"apiVersion": autoscaling.API_VERSION, "kind": autoscaling.KIND})
