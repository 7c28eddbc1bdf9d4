"""Run by CKAN's own interpreter: what ckanext-dcat makes of a description; the arguments are ckan.ini and the format.

The description comes on standard input, the datasets go out as JSON.
"""

import json
import sys

from ckan.cli import load_config  # type: ignore[import-not-found]
from ckan.config.middleware import make_app  # type: ignore[import-not-found]
from ckanext.dcat.processors import RDFParser  # type: ignore[import-not-found]


def main() -> None:
    """Read and write."""
    config, format_ = sys.argv[1:]
    app = make_app(load_config(config))
    with app._wsgi_app.test_request_context():
        parser = RDFParser(profiles=["euro_dcat_ap_3"])
        parser.parse(sys.stdin.read(), _format=format_)
        sys.stdout.write("\n" + json.dumps(list(parser.datasets())) + "\n")


main()
