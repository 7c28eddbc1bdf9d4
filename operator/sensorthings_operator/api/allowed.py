"""What a field allows, in words: one phrasing for the messages of ``parse`` and for the API reference."""

from collections.abc import Mapping
from typing import Any, Final

from sensorthings_operator.api.base import DNS_SUBDOMAIN, FQDN, USER_NAME

_PATTERNS: Final = {
    DNS_SUBDOMAIN: "lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
    FQDN: "a fully qualified DNS name in lower case, such as iot.hamburg.example",
    USER_NAME: "letters, digits, '.', '_', '@', '+' and '-', beginning with a letter or digit",
}


def allowed(schema: Mapping[str, Any]) -> str:
    """What a value under this schema may be, as words that follow "must be"."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if schema.get("x-kubernetes-int-or-string"):
        return "a quantity such as 500m, 2 or 1Gi (a number with a point in quotation marks)"
    words = {
        "boolean": _boolean,
        "integer": _integer,
        "number": _number,
        "string": _string,
        "array": _array,
        "object": _object,
    }
    return words[schema["type"]](schema) if schema.get("type") in words else "anything"


def _boolean(_: Mapping[str, Any]) -> str:
    return "true or false"


def _integer(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"the whole number {least}" if least == most else f"a whole number from {least} to {most}"
    return "a whole number" if least is None else f"a whole number of at least {least}"


def _number(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    return "a number" if least is None or most is None else f"a number from {least:g} to {most:g}"


def _string(schema: Mapping[str, Any]) -> str:
    pattern = schema.get("pattern")
    if pattern is None:
        words = "a time in RFC 3339" if schema.get("format") == "date-time" else "text"
    else:
        words = _PATTERNS.get(pattern, f"text that matches `{pattern}`")
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is None:
        return words
    return f"{words}, of {least} to {most} characters" if least else f"{words}, of at most {most} characters"


def _array(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    size = f" of {least} to {most}" if most is not None else ""
    return f"a list{size}, each {allowed(schema['items'])}"


def _object(schema: Mapping[str, Any]) -> str:
    if "additionalProperties" not in schema:
        return "an object"
    most = schema.get("maxProperties")
    size = f" of at most {most}" if most is not None else ""
    return f"a map{size}, each value {allowed(schema['additionalProperties'])}"
