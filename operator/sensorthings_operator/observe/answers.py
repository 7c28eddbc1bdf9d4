"""What a status says of the last answer of what is asked beside the passes: it stands until it is known better.

Without it, each start of the operator would take every service for not looked at.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sensorthings_operator.conditions.observed import Answer


def last_answer(body: Mapping[str, Any], type_: str, reasons: Collection[str]) -> Answer | None:
    """The condition of a type as an answer; None where it is not there, or its reason is not one of an answer."""
    for condition in body.get("status", {}).get("conditions", ()):
        if condition["type"] == type_ and condition["reason"] in reasons:
            return Answer(condition["status"] == "True", condition["reason"], condition["message"])
    return None


def last_answer_of_now(body: Mapping[str, Any], type_: str, reasons: Collection[str]) -> Answer | None:
    """The same of the spec as it is now; None where the condition tells of an older one."""
    conditions = body.get("status", {}).get("conditions", ())
    seen = {each["type"]: each.get("observedGeneration") for each in conditions}
    return last_answer(body, type_, reasons) if seen.get(type_) == body["metadata"].get("generation") else None
