"""The chart takes each of the operator's settings, and no other."""

import json
from pathlib import Path
from typing import Final

from sensorthings_operator.desired.settings import Images, OperatorSettings

_CHART: Final = Path("charts/sensorthings-operator")
_ELSEWHERE: Final = {"namespace", "leaseName", "podMonitorLabels", "tokenDoor"}
"""What the chart knows by itself, or takes from its own podMonitor and tokenService."""
_SCHEMA: Final = json.loads((_CHART / "values.schema.json").read_text())["properties"]


def _names(model: type[Images | OperatorSettings]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_each_image_can_be_set() -> None:
    assert set(_SCHEMA["settings"]["properties"]["images"]["properties"]) == _names(Images)


def test_each_setting_can_be_set() -> None:
    under_settings = set(_SCHEMA["settings"]["properties"])
    assert under_settings | set(_SCHEMA) | _ELSEWHERE >= _names(OperatorSettings)
    assert under_settings <= _names(OperatorSettings)
