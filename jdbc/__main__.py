"""Compiles the driver and packs it where the operator has it; the same source gives the same bytes.

Run as ``python -m jdbc``; with ``--check`` it ends with 1 where the packed driver is not that of the source.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from localcluster import debian

_SOURCE: Final = Path(__file__).parent / "src"
PACKED: Final = Path("operator/sensorthings_operator/desired/files/committed-jdbc.jar")
_JVMS: Final = Path("/usr/lib/jvm")
_COMPILERS: Final = "java-17-openjdk-*/bin/javac"
"""Debian's folder has the machine's architecture in its name."""
_RELEASE: Final = "11"
"""The oldest Java of FROST-Server's images."""
_MANIFEST: Final = "Manifest-Version: 1.0\r\nPremain-Class: city.sensorthings.jdbc.CommittedDriver\r\n\r\n"


def packed() -> bytes:
    """The driver as a jar.

    Raises:
        subprocess.CalledProcessError: The source does not compile.
    """
    with tempfile.TemporaryDirectory() as folder, io.BytesIO() as file:
        sources = sorted(_SOURCE.rglob("*.java"))
        (javac,) = _JVMS.glob(_COMPILERS)
        options = ["--release", _RELEASE, "-Xlint:all", "-Werror", "-g:none", "-d", folder]
        subprocess.run([javac, *options, *sources], check=True)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as jar:
            jar.writestr(_entry("META-INF/MANIFEST.MF"), _MANIFEST)
            for each in sorted(Path(folder).rglob("*.class")):
                jar.writestr(_entry(str(each.relative_to(folder))), each.read_bytes())
        return file.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """Of the same time always: that of a ZipInfo of which nothing is said."""
    return zipfile.ZipInfo(name)


def main(arguments: list[str]) -> int:
    """Write the jar, or compare it; the exit code."""
    debian.ensure(("openjdk-17-jdk-headless",))
    made = packed()
    if "--check" not in arguments:
        PACKED.write_bytes(made)
        return 0
    if PACKED.read_bytes() == made:
        return 0
    sys.stderr.write(f"{PACKED} is not what {_SOURCE} gives: run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
