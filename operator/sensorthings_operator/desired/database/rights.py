"""What the pods of a pair may do in the Kubernetes API: agree on a primary there, and say on themselves who it is.

A Role of the service's own, so that it names the objects: with a right to change any pod of the namespace, whoever
breaks into a database would have all of them. The operator has each of these rights itself, so it may give them on
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping).
"""

from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.database import patroni
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

_GROUP = "rbac.authorization.k8s.io"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Role and RoleBinding for the pods' ServiceAccount; nothing where there is no pair."""
    if not addresses.is_pair(service):
        return []
    name = addresses.database_name(service)
    return [
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "Role",
            "metadata": metadata(service, addresses.database_component(service), name),
            "rules": _rules(service),
        },
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": metadata(service, addresses.database_component(service), name),
            "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": service.namespace}],
        },
    ]


def _rules(service: Service) -> list[Manifest]:
    name = addresses.database_name(service)
    pods = [f"{name}-{number}" for number in range(addresses.instances(service))]
    return [
        # Lists can't be narrowed to names.
        {"apiGroups": [""], "resources": ["configmaps", "pods"], "verbs": ["list", "watch"]},
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": patroni.state_names(service),
            "verbs": ["get", "patch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "resourceNames": pods, "verbs": ["patch"]},
    ]
