"""The Debian packages that are installed bring every command that the local cluster calls."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import localcluster
from localcluster.debian import PACKAGES

# Debian's essential packages (dpkg, mount, sh) are on every machine.
_BROUGHT_BY = {
    "apt-get": None,
    "buildah": "buildah",
    "dpkg-query": None,
    "host": "bind9-host",
    "ip": "iproute2",
    "iptables-save": "iptables",
    "kind": None,
    "mmdebstrap": "mmdebstrap",
    "mount": None,
    "mvn": "maven",
    "node": None,  # comes with npm
    "npm": None,  # brought where it is not there
    "nsenter": "util-linux",
    "sh": None,
    "umount": None,
    "unshare": "util-linux",
}
_NO_COMMANDS = {"build", "env", "etcd"}
"""First words of lists that are put behind a command, or are no command at all."""


def _first_words() -> Iterator[str]:
    for source in Path(localcluster.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.List) and len(node.elts) > 1 and isinstance(node.elts[0], ast.Constant):
                word = node.elts[0].value
                if isinstance(word, str) and word.isascii() and word.replace("-", "").isalpha() and word.islower():
                    yield word


def test_every_command_is_brought_by_a_package() -> None:
    # What is on this machine's PATH is a command; whoever calls a new one has it here, and says what brings it.
    called = {word for word in _first_words() if word in _BROUGHT_BY or shutil.which(word)} - _NO_COMMANDS
    assert called <= _BROUGHT_BY.keys(), "say which package brings it"
    assert {"ip", "host"} <= called
    absent = {package for word in called if (package := _BROUGHT_BY[word]) is not None} - set(PACKAGES)
    assert absent == set()
