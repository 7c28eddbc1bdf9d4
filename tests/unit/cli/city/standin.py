#!/usr/bin/env python3
"""A stand-in for the command `pulumi`, for tests: it keeps stacks in a JSON file and does nothing else.

It answers in the forms of Pulumi 3, as far as `sensorthings city` reads them. The file is $PULUMI_STANDIN: stacks by
layer, what is asked of it in order, and faults to play (`preview`, `up`, by layer).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

STATE = Path(os.environ["PULUMI_STANDIN"])


def main(arguments: list[str]) -> int:
    """Answer one call."""
    state = json.loads(STATE.read_text())
    layer = Path(arguments[arguments.index("-C") + 1]).name
    words = [word for word in arguments if not word.startswith("-")][1:]
    state["calls"].append(f"{layer}: {' '.join(words[:2] if words[0] == 'stack' else words[:1])}")
    code = answer(state, layer, words)
    STATE.write_text(json.dumps(state))
    return code


def answer(state: dict[str, Any], layer: str, words: list[str]) -> int:
    """What Pulumi would write and end with."""
    stacks = state["stacks"]
    match words:
        case ["stack", "select", name, *_]:
            stacks.setdefault(layer, {"name": name, "resourceCount": 0, "history": []})
        case ["stack", "ls", *_]:
            mine = stacks.get(layer)
            sys.stdout.write(
                json.dumps([{"name": mine["name"], "resourceCount": mine["resourceCount"]}] if mine else [])
            )
        case ["stack", "history", *_]:
            sys.stdout.write(json.dumps(stacks[layer]["history"][-1:]))
        case ["preview", *_]:
            return preview(state, layer)
        case ["up" | "destroy" as verb, *_]:
            return change(state, layer, verb)
    return 0


def preview(state: dict[str, Any], layer: str) -> int:
    """Creates where nothing is there, nothing where it is; or the plan or the fault that the test asks for."""
    fault = state["faults"].get(f"preview {layer}")
    if fault:
        sys.stdout.write(json.dumps({"diagnostics": [{"severity": "error", "message": fault}]}))
        return 255
    operation = "same" if state["stacks"][layer]["resourceCount"] else "create"
    steps = state["plans"].get(layer, [{"op": operation, "urn": f"urn:pulumi:x::sensorthings-{layer}::a:b:C::one"}])
    sys.stdout.write(json.dumps({"steps": steps, "changeSummary": {}}))
    return 0


def change(state: dict[str, Any], layer: str, verb: str) -> int:
    """Three resources come or go, unless the test asks for a fault."""
    failed = state["faults"].pop(f"{verb} {layer}", None)
    kind = "update" if verb == "up" else "destroy"
    mine = state["stacks"][layer]
    mine["history"].append({"kind": kind, "result": "failed" if failed else "succeeded", "endTime": "2026-11-23"})
    if failed:
        sys.stderr.write(f"error: {failed}" + "\n")
        return 255
    mine["resourceCount"] = 3 if verb == "up" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
