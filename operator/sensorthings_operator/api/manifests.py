"""Manifests as YAML that people read: members in their given order, no aliases, text of several lines as a block.

Called by the generator of ``crds/`` and by ``sensorthings render``.
"""

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def yaml_text(manifest: Mapping[str, Any]) -> str:
    """One YAML document, without the line that separates documents."""
    return yaml.dump(dict(manifest), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
