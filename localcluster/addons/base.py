"""What an add-on is: something the platform needs beside the operator, that a city's cluster usually has already.

Each module of this package describes one. `up` applies all of them first and waits for them afterwards, so that they
start at the same time; whoever wants just one calls `ensure`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcluster.kubectl import Kubectl
    from localcluster.plan import Cluster

_INTERVAL = 0.3  # seconds between two looks at something that is starting


def _silent(_: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the add-ons are installed with.

    Args:
        cluster: The cluster on this machine.
        kubectl: As its administrator.
        images: Full names of the images by their short ones.
        detail: Told what is being done.
    """

    cluster: Cluster
    kubectl: Kubectl
    images: Mapping[str, str]
    detail: Callable[[str], None] = field(default=_silent)

    def image(self, name: str) -> str:
        """The full name of an image. Raises LocalClusterError when it was not built."""
        if name not in self.images:
            raise LocalClusterError(f"No image {name} was built.", "See localcluster/images.")
        return self.images[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOn:
    """One add-on.

    Args:
        name: Its name, for people too.
        images: Short names of the images that only it needs.
        parts: Compiled parts that only it needs.
        needs: Names of the add-ons that must be there as well.
        apply: Applies its manifests: idempotent, quick when nothing has changed.
        settle: Waits until it works, asking as its users will.
    """

    name: str
    images: tuple[str, ...]
    parts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    apply: Callable[[Context], None]
    settle: Callable[[Context], None]

    def ensure(self, context: Context) -> None:
        """Install it and wait until it works. Raises LocalClusterError when it does not."""
        self.apply(context)
        self.settle(context)


def await_rollout(kubectl: Kubectl, namespace: str, *deployments: str, seconds: int = 180) -> None:
    """Wait until the newest pods of Deployments are ready.

    Raises:
        LocalClusterError: They are not within `seconds`.
    """
    remedy = f"See `kubectl -n {namespace} describe pods`, and `kubectl -n {namespace} logs deployment/NAME`."
    for name in deployments:
        kubectl.run("-n", namespace, "rollout", "status", f"deployment/{name}", f"--timeout={seconds}s", remedy=remedy)


def await_answer(what: str, ask: Callable[[], bool], *, seconds: float = 120, remedy: str = "") -> None:
    """Ask again and again until the answer is yes.

    Args:
        what: What is waited for, for the message.
        ask: A LocalClusterError that it raises counts as no.
        seconds: How long at most.
        remedy: What a person can do.

    Raises:
        LocalClusterError: It was no all the time; the message holds the last reason.
    """
    deadline = time.monotonic() + seconds
    while True:
        reason = ""
        try:
            if ask():
                return
        except LocalClusterError as error:
            reason = f": {error.problem}"
        if time.monotonic() > deadline:
            raise LocalClusterError(f"{what}: not within {seconds:g} s{reason}", remedy)
        time.sleep(_INTERVAL)
