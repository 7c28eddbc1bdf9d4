"""The form of a policy chain: the first policy that has something to say decides. Used by every condition."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sensorthings_operator.conditions.observed import Observed, PodProblem

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Verdict:
    """What a condition says: a reason for machines, a message for people."""

    status: Status
    reason: str
    message: str
    expected: bool = False
    """Not what one hopes for, but asked for, or on its way: no cause for a warning."""

    @property
    def holds(self) -> bool:
        """Whether the condition is True."""
        return self.status == "True"


Policy = Callable[[Observed], Verdict | None]


def _always(_: Observed) -> bool:
    return True


@dataclass(frozen=True)
class Chain:
    """A condition type and the policies that decide on it, in order; the last one always decides."""

    type: str
    policies: tuple[Policy, ...]
    applies: Callable[[Observed], bool] = _always
    """Whether the service has this part; a condition about a part that it has not is not in its status."""
    needed: bool = True
    """Whether clients are served worse where it does not hold; Ready waits for it."""

    def evaluate(self, observed: Observed) -> Verdict:
        """The verdict of the first policy that has one."""
        for policy in self.policies:
            verdict = policy(observed)
            if verdict is not None:
                return verdict
        msg = f"no policy of {self.type} decided"
        raise AssertionError(msg)


def pod_problem(observed: Observed, component: str) -> PodProblem | None:
    """The first thing that keeps a pod of a part from running."""
    return next((problem for problem in observed.pod_problems if problem.component == component), None)


def troubled(problem: PodProblem) -> Verdict:
    """The verdict about a pod that does not run."""
    return Verdict("False", problem.reason, f"pod {problem.pod}: {problem.message}")
