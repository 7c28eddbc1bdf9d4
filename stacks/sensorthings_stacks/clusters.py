"""The Kubernetes provider of the layers on the cluster. Never the default one, which goes wherever kubectl points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_kubernetes as kubernetes

if TYPE_CHECKING:
    from pulumi import Input

    from sensorthings_stacks.settings.target import ExistingCluster

NAME = "cluster"


def made(kubeconfig: Input[str]) -> kubernetes.Provider:
    """The cluster that the cluster layer made."""
    return kubernetes.Provider(NAME, kubeconfig=kubeconfig)


def existing(settings: ExistingCluster) -> kubernetes.Provider:
    """A cluster that is there, by the context that leads to it."""
    return kubernetes.Provider(NAME, context=settings.context, kubeconfig=settings.kubeconfig or None)
