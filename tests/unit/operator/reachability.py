"""Who may reach whom under NetworkPolicies: a pure evaluator of their rules, for tests.

It knows what the manifests of this project use, and raises on what it does not know. It stands in for a cluster whose
network enforces policies, and shows what they say, not that anything enforces them. The rules are those of
https://kubernetes.io/docs/concepts/services-networking/network-policies: a pod that no policy selects for a direction
is open in it; one that is selected lets pass what any rule of any such policy allows; a connection needs both ends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Manifest = Mapping[str, Any]
Direction = Literal["Ingress", "Egress"]
_RULES = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


@dataclass(frozen=True)
class Namespace:
    """A namespace with its labels; Kubernetes itself adds its name."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def all_labels(self) -> dict[str, str]:
        """With the label of its name."""
        return {"kubernetes.io/metadata.name": self.name, **dict(self.labels)}


@dataclass(frozen=True)
class Pod:
    """A pod on the cluster's own network."""

    name: str
    namespace: Namespace
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outside:
    """An address that is no pod's: out of the cluster, or a node's."""


Peer = Pod | Outside


def allowed(policies: Iterable[Manifest], source: Peer, destination: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection to a port of the destination is let out and let in."""
    known = list(policies)
    out = _passes(known, "Egress", source, destination, (port, protocol))
    return out and _passes(known, "Ingress", destination, source, (port, protocol))


def isolated(policies: Iterable[Manifest], pod: Pod, direction: Direction) -> bool:
    """Whether any policy selects the pod for a direction."""
    return any(_selects(policy, pod, direction) for policy in policies)


def _passes(policies: list[Manifest], direction: Direction, pod: Peer, other: Peer, at: tuple[int, str]) -> bool:
    if isinstance(pod, Outside) or not isolated(policies, pod, direction):
        return True
    member, peers = _RULES[direction]
    return any(
        _port_matches(rule, *at) and _peer_matches(rule.get(peers), policy["metadata"]["namespace"], other)
        for policy in policies
        if _selects(policy, pod, direction)
        for rule in policy["spec"].get(member, ())
    )


def _selects(policy: Manifest, pod: Pod, direction: Direction) -> bool:
    return (
        direction in policy["spec"]["policyTypes"]
        and policy["metadata"]["namespace"] == pod.namespace.name
        and matches(policy["spec"]["podSelector"], dict(pod.labels))
    )


def _port_matches(rule: Manifest, port: int, protocol: str) -> bool:
    if not rule.get("ports"):
        return True
    return any(entry.get("protocol", "TCP") == protocol and entry["port"] == port for entry in rule["ports"])


def _peer_matches(peers: list[Manifest] | None, namespace: str, other: Peer) -> bool:
    if not peers:
        return True
    return isinstance(other, Pod) and any(_is_peer(peer, namespace, other) for peer in peers)


def _is_peer(peer: Manifest, namespace: str, other: Pod) -> bool:
    unknown = peer.keys() - {"podSelector", "namespaceSelector"}
    assert not unknown, f"the evaluator does not know {unknown}"
    of_namespace = (
        matches(peer["namespaceSelector"], other.namespace.all_labels)
        if "namespaceSelector" in peer
        else other.namespace.name == namespace
    )
    return of_namespace and matches(peer.get("podSelector", {}), dict(other.labels))


def matches(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects an object with these labels; an empty one selects everything."""
    equal = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return equal and all(_holds(expression, labels) for expression in selector.get("matchExpressions", ()))


def _holds(expression: Manifest, labels: Mapping[str, str]) -> bool:
    present = expression["key"] in labels
    match expression["operator"]:
        case "In":
            return labels.get(expression["key"]) in expression["values"]
        case "NotIn":
            return labels.get(expression["key"]) not in expression["values"]
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case unknown:
            message = f"the evaluator does not know {unknown}"
            raise AssertionError(message)
