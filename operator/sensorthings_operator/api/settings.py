"""Which FROST-Server settings the operator owns, as one table that the CRD's CEL rule and the docs are made from."""

from typing import Any, Final

OWNED_SETTINGS: Final = (
    "serviceRootUrl",
    "persistence.persistenceManagerImplementationClass",
    "persistence.autoUpdateDatabase",
    "bus.busImplementationClass",
    "bus.mqttBroker",
    "bus.topicName",
    "mqtt.Enabled",
    "mqtt.mqttServerImplementationClass",
    "mqtt.Host",
    "mqtt.internalHost",
    "mqtt.Port",
    "mqtt.WebsocketPort",
    "mqtt.WaitForEnter",
)
"""Settings that follow from other fields of the resource."""

OWNED_PREFIXES: Final = ("persistence.db.", "auth.")
"""Settings whose every member follows from spec.database or spec.auth."""


def is_owned(setting: str) -> bool:
    """Whether a FROST-Server setting, given by its own name, follows from other fields of the resource."""
    return setting in OWNED_SETTINGS or setting.startswith(OWNED_PREFIXES)


def _list(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


_OWNED_PATTERNS: Final = (*OWNED_SETTINGS, *(f"{prefix}*" for prefix in OWNED_PREFIXES))
_CEL_OWNED: Final = f"k in {_list(OWNED_SETTINGS)} || {_list(OWNED_PREFIXES)}.exists(p, k.startsWith(p))"

SETTINGS_RULES: Final[list[dict[str, Any]]] = [
    {
        "rule": r"self.all(k, size(k) <= 128 && k.matches('^[A-Za-z][A-Za-z0-9]*([.][A-Za-z0-9]+)*$'))",
        "message": "settings are named as in FROST-Server's documentation, with dots, such as plugins.openApi.enable",
    },
    {
        "rule": f"self.all(k, !({_CEL_OWNED}))",
        "message": "these settings follow from other fields of the spec and can't be set here: "
        + ", ".join(_OWNED_PATTERNS),
        # Names the first only: joining them all costs more than the API server grants a rule.
        "messageExpression": f"'the operator sets ' + self.filter(k, {_CEL_OWNED})[0] + "
        f"' from other fields of the spec: remove it; what can\\'t be set here: {', '.join(_OWNED_PATTERNS)}'",
    },
]
"""CEL rules of a ``settings`` map."""
