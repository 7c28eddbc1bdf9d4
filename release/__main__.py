"""``python -m release`` (``make generate``): the chart of the custom resource definitions, and ``install.yaml``.

With ``--check`` nothing is written: it ends with 1 and names each file that differs from what is made now.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from release import crdchart, plain

ROOT: Final = Path(__file__).parents[1]


def generated() -> dict[str, str]:
    """Content of each generated file, by its path below the root of the repository."""
    return {**crdchart.templates(), plain.FILE: plain.install_yaml(ROOT / "charts" / "sensorthings-operator")}


def differing(root: Path, files: Mapping[str, str]) -> list[str]:
    """Paths below ``root`` that are missing or hold something else, and definitions that nothing generates."""
    wrong = [path for path, text in files.items() if not (root / path).is_file() or (root / path).read_text() != text]
    present = {path.relative_to(root).as_posix() for path in (root / crdchart.FOLDER).glob("*.yaml")}
    return wrong + sorted(present - files.keys())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated files. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file differs")
    parser.add_argument("--root", type=Path, default=ROOT, help="root of the repository (default: this one)")
    options = parser.parse_args(arguments)
    files = generated()
    if options.check:
        wrong = differing(options.root, files)
        for path in wrong:
            sys.stderr.write(f"{path} is not what is made now: run `make generate`\n")
        return 1 if wrong else 0
    for path, text in files.items():
        target = options.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
