"""Pebble: an ACME server, as Let's Encrypt runs one, behind the ClusterIssuer `letsencrypt`.

It proves by HTTP-01 that a host leads to who asks for its certificate: through the cluster's own DNS, and ingress-nginx
or the Gateway.
It keeps nothing: after a restart of it, accounts and roots are other ones, and the issuer has to be made anew.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from localcluster import parts
from localcluster.addons import cert_manager, ingress_nginx
from localcluster.addons.base import AddOn, await_rollout
from localcluster.plan import DNS_ADDRESS, GATEWAY_DOMAIN
from localcluster.rendering import manifests

if TYPE_CHECKING:
    from localcluster.addons.base import Context

ISSUER = "letsencrypt"
NAMESPACE = "pebble"
_NAME = "pebble"
_REMEDY = f"See `kubectl -n {NAMESPACE} logs deployment/{_NAME}` and `kubectl describe clusterissuer {ISSUER}`."


def _apply(context: Context) -> None:
    authority = cert_manager.authority(context.kubectl)
    objects = manifests(
        "pebble.yaml",
        image=context.image(_NAME),
        authority=cert_manager.ISSUER,
        dns_address=DNS_ADDRESS,
        issuer=ISSUER,
        gateway_domain=GATEWAY_DOMAIN,
        ca_bundle=base64.b64encode(authority.encode()).decode(),
    )
    context.kubectl.apply(objects)


def _settle(context: Context) -> None:
    """Until the issuer has an account."""
    await_rollout(context.kubectl, NAMESPACE, _NAME)
    context.kubectl.run(*("wait", "--for=condition=Ready", f"clusterissuer/{ISSUER}", "--timeout=120s"), remedy=_REMEDY)


ADD_ON = AddOn(
    name=_NAME,
    images=(_NAME,),
    parts=(parts.PEBBLE,),
    needs=(cert_manager.ADD_ON.name, ingress_nginx.ADD_ON.name),
    apply=_apply,
    settle=_settle,
)
