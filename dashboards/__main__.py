"""``python -m dashboards`` (``make generate``): from the code to the JSON files that Grafana reads.

With ``--check`` nothing is written: it ends with 1 and names each file that differs from what the code makes. With
``--queries`` it writes every query to standard output, for somebody who wants to know what a Prometheus has to scrape.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import autoscaling, city, connectors, database, delivery, fleet, queries

DASHBOARDS = (autoscaling, city, connectors, database, delivery, fleet)
"""Each makes the file of its name."""


def generated() -> dict[str, str]:
    """Content of each generated file, by its name in this folder."""
    return {f"{module.__name__.rpartition('.')[2]}.json": _text(module.dashboard()) for module in DASHBOARDS}


def _text(made: Dashboard) -> str:
    return json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def differing(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Names of files in ``folder`` that are missing or hold something else, and of dashboards that no code makes."""
    wrong = [
        name for name, text in files.items() if not (folder / name).is_file() or (folder / name).read_text() != text
    ]
    return wrong + sorted({path.name for path in folder.glob("*.json")} - files.keys())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated files. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file differs")
    parser.add_argument("--queries", action="store_true", help="write the queries to standard output, and no file")
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parent, help="where the files are (default: here)"
    )
    options = parser.parse_args(arguments)
    if options.queries:
        for query in queries():
            sys.stdout.write(f"# {query.name} ({', '.join(query.sources)})\n{query.expression}\n")
        return 0
    files = generated()
    if options.check:
        wrong = differing(options.folder, files)
        for name in wrong:
            sys.stderr.write(f"{name} is not what the code makes: run `make generate`\n")
        return 1 if wrong else 0
    for name, text in files.items():
        (options.folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
