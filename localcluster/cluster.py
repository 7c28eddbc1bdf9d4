"""`up` and `down`: the ordered steps that make a cluster on this machine with a platform, the operator and the example.

The command line and the e2e tests call these. Each step looks at what is there and does the rest, so that `up` can be
interrupted anywhere and called again, after a reboot as well.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from localcluster import endpoints, install, kind, nodesteps, parts, plan, reach, teardown
from localcluster.addons import Context, cert_manager, ingress_nginx, keycloak, monitoring
from localcluster.endpoints import Endpoints
from localcluster.errors import LocalClusterError
from localcluster.images import pinned
from localcluster.nodesteps import kubectl
from localcluster.steps import Progress, Step, run

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.addons import AddOn
    from localcluster.installation import Installation
    from localcluster.nodesteps import Archives
    from localcluster.plan import Cluster
    from localcluster.steps import Detail

__all__ = ["Endpoints", "describe", "down", "kubectl", "up"]


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LocalClusterError(
            "The local cluster needs root: it makes namespaces, cgroups and mounts.", "Call it as root, or with sudo."
        )


def _context(cluster: Cluster, archives: Archives, detail: Detail) -> Context:
    images = install.by_short_name(archives)
    return Context(cluster=cluster, kubectl=kubectl(cluster), images=images, detail=detail)


def _apply_add_on(add_on: AddOn, cluster: Cluster, archives: Archives, detail: Detail) -> None:
    add_on.apply(_context(cluster, archives, detail))


def _settle_add_on(add_on: AddOn, cluster: Cluster, archives: Archives, detail: Detail) -> None:
    add_on.settle(_context(cluster, archives, detail))


def _install_operator(cluster: Cluster, installation: Installation, archives: Archives) -> None:
    values = install.chart_values(archives, pinned.FROST)
    values["ingressNginx"] = {"enabled": installation.has(ingress_nginx.ADD_ON)}
    values["podMonitor"] = {"enabled": installation.has(monitoring.ADD_ON)}
    if installation.has(keycloak.ADD_ON):
        values["keycloakRealms"] = keycloak.chart_values()
        values["tokenService"] = {"door": {"enabled": True}}
    helm = parts.ensure(parts.HELM) / "helm"
    install.install_crds(kubectl(cluster), installation.crds)
    install.install_operator(kubectl(cluster), helm, installation.chart, values)


def _services(installation: Installation) -> list[dict[str, Any]]:
    return [document for document in _example(installation) if document["kind"] == "SensorThingsService"]


def _example(installation: Installation) -> list[dict[str, Any]]:
    return install.documents_of(installation.example) if installation.example else []


def _apply_example(cluster: Cluster, installation: Installation) -> None:
    install.apply_services(kubectl(cluster), _example(installation))


def _await_example(cluster: Cluster, installation: Installation, detail: Detail) -> None:
    for service in install.services_in(_example(installation)):
        detail(f"{service.namespace}/{service.name}")
        install.await_ready(kubectl(cluster), service)


def _open_example(cluster: Cluster, installation: Installation) -> None:
    """Let people in: to the plain endpoints of a service that is not exposed, as a writer where that takes a token."""
    for service in install.services_in(_example(installation))[:1]:
        resource = install.read(kubectl(cluster), service)
        if not endpoints.exposed(resource):
            reach.publish(cluster, kubectl(cluster), service)
        if installation.has(keycloak.ADD_ON) and endpoints.uses_realm(resource):
            keycloak.grant_writer(cluster, kubectl(cluster), service)


def install_steps(cluster: Cluster, installation: Installation, archives: Archives) -> list[Step]:
    """The steps that put add-ons, operator and example into the cluster.

    All is applied before anything is waited for: starting takes a small machine the longest, and waits overlap.
    """
    add_ons = installation.add_ons
    steps = [Step(f"Install {each.name}", partial(_apply_add_on, each, cluster, archives)) for each in add_ons]
    steps.append(Step("Install the operator", lambda _: _install_operator(cluster, installation, archives)))
    if installation.example:
        steps.append(Step("Apply the example", lambda _: _apply_example(cluster, installation)))
    steps += [Step(f"Wait for {each.name}", partial(_settle_add_on, each, cluster, archives)) for each in add_ons]
    if installation.example:
        steps.append(Step("Wait for the example", lambda detail: _await_example(cluster, installation, detail)))
        steps.append(Step("Open the example", lambda _: _open_example(cluster, installation)))
    return steps


def _durations(name: str) -> Path:
    return plan.cache_folder() / f"{name}-durations.json"


def up(name: str, progress: Progress, installation: Installation | None) -> Endpoints:
    """Bring a cluster up, or finish what an interrupted call began.

    Args:
        name: Of the cluster.
        progress: Told how it goes.
        installation: What to install; none leaves it at a node that is Ready.

    Returns:
        Where it is reached.

    Raises:
        LocalClusterError: This is not root, another call works on it, or a step failed.
    """
    _require_root()
    with plan.locked(name) as cluster:
        _require_ports(cluster, installation)
        archives: Archives = {}
        steps = nodesteps.steps(cluster, installation.add_ons if installation else (), archives)
        if installation is not None:
            steps += install_steps(cluster, installation, archives)
        run(steps, progress, _durations("up"))
        return describe(cluster, installation)


def _require_ports(cluster: Cluster, installation: Installation | None) -> None:
    """Fail before any work when a port that will be listened on belongs to somebody else."""
    add_ons = {each.name for each in installation.add_ons} if installation else set()
    reach.require_free(
        cluster,
        edge=ingress_nginx.ADD_ON.name in add_ons,
        # An example that is exposed has no plain endpoints; which it is, is in the manifest.
        plain=installation is not None and any(not endpoints.exposed(each) for each in _services(installation)),
        prometheus=monitoring.ADD_ON.name in add_ons,
    )


def describe(cluster: Cluster, installation: Installation | None) -> Endpoints:
    """Where a cluster that is up, and what is installed in it, are reached."""
    command = kubectl(cluster)
    found = Endpoints(kubeconfig=str(cluster.kubeconfig), kubectl=str(command.binary))
    if installation is None:
        return found
    if installation.has(cert_manager.ADD_ON):
        found = replace(found, ca=str(cluster.authority))
    if installation.has(ingress_nginx.ADD_ON):
        found = replace(found, address=cluster.edge)
    if installation.has(keycloak.ADD_ON):
        found = replace(found, keycloak=keycloak.URL)
    if installation.has(monitoring.ADD_ON):
        found = replace(found, prometheus=reach.prometheus_url(cluster))
    for service in install.services_in(_example(installation))[:1]:
        resource = install.read(command, service)
        if not endpoints.exposed(resource):
            return replace(found, **endpoints.published(cluster, resource))
        writer = str(cluster.writer) if endpoints.uses_realm(resource) and found.keycloak else ""
        found = replace(found, **endpoints.of_service(resource), writer=writer)
    return found


def down(name: str, progress: Progress) -> None:
    """Take a cluster down; nothing happens when it is not there.

    Raises:
        LocalClusterError: This is not root and needs to be, another call works on it, or something of it was left.
    """
    by_kind = kind.is_one(plan.find(name))
    if not by_kind:
        _require_root()
    with plan.locked(name) as cluster:
        run(kind.down_steps(cluster) if by_kind else teardown.steps(cluster), progress, _durations("down"))
