"""The one exception base class of the package: every failure a person can see is a `LocalClusterError`."""

from __future__ import annotations


class LocalClusterError(Exception):
    """Something about the cluster on this machine failed.

    Args:
        problem: What was wrong, and where.
        remedy: What to do about it, as an instruction.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}\n{self.remedy}" if self.remedy else self.problem
