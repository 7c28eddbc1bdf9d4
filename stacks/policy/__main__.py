"""The policy pack of the stacks: `pulumi preview --policy-pack ../policy` in the folder of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from sensorthings_stacks.policies.resource import Resource
from sensorthings_stacks.policies.rules import RULES

if TYPE_CHECKING:
    from sensorthings_stacks.policies.resource import Rule


def _policy(name: str, rule: Rule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = Resource(args.resource_type, args.props, args.opts.protect, tuple(args.opts.ignore_changes or ()))
        for problem in rule(resource):
            report(problem)

    return ResourceValidationPolicy(name=name, description=str(rule.__doc__), validate=validate)


PolicyPack(
    name="sensorthings",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[_policy(name, rule) for name, rule in RULES.items()],
)
