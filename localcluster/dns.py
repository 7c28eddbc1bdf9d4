"""The cluster's DNS: CoreDNS as a Deployment, so that Services and the public names are found in the cluster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from localcluster.commands import run
from localcluster.errors import LocalClusterError
from localcluster.plan import DNS_ADDRESS, DOMAIN, GATEWAY_ADDRESS, GATEWAY_DOMAIN, INGRESS_ADDRESS
from localcluster.rendering import digest, manifests, render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcluster.kubectl import Kubectl
    from localcluster.processes import Placement

REPOSITORY = "localhost/sensorthings/coredns"
_ANSWER_TIMEOUT = 60.0  # seconds


def image_among(names: Iterable[str]) -> str:
    """The image of CoreDNS among the images that were built. Raises LocalClusterError when it is not there."""
    for name in names:
        if name.startswith(f"{REPOSITORY}:"):
            return name
    raise LocalClusterError(f"No image {REPOSITORY} was built.", "See the step that builds the images.")


def objects(image: str) -> list[dict[str, Any]]:
    """CoreDNS's manifests; its pod is made anew when its configuration changes."""
    names = {DOMAIN: INGRESS_ADDRESS, GATEWAY_DOMAIN: GATEWAY_ADDRESS}
    corefile = render("Corefile", public_names=names)
    return manifests(
        "coredns.yaml", image=image, dns_address=DNS_ADDRESS, corefile=corefile, configuration=digest(corefile)
    )


def ensure(kubectl: Kubectl, image: str, inside: Placement) -> None:
    """Apply CoreDNS and wait until it answers.

    Args:
        kubectl: Says into which cluster.
        image: Of CoreDNS.
        inside: Where the cluster's Services are reached.

    Raises:
        LocalClusterError: It is not rolled out within two minutes, or does not answer within one more.
    """
    kubectl.apply(objects(image))
    remedy = "See `kubectl -n kube-system describe pods -l k8s-app=kube-dns`."
    kubectl.run("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s", remedy=remedy)
    deadline = time.monotonic() + _ANSWER_TIMEOUT
    while not _answers(inside):
        if time.monotonic() > deadline:
            raise LocalClusterError(f"CoreDNS does not answer at {DNS_ADDRESS}.", remedy)
        time.sleep(0.2)


def _answers(inside: Placement) -> bool:
    """Whether the Service `kubernetes` is resolved by way of the DNS Service, as a pod would do it."""
    query = ["host", "-W", "2", "-t", "A", "kubernetes.default.svc.cluster.local.", str(DNS_ADDRESS)]
    try:
        run([*inside.enter(), *query], timeout=5)
    except LocalClusterError:
        return False
    return True
