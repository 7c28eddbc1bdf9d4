"""What harvesters are given: Envoy's configuration as a server of a few documents, and a page that lists them.

Envoy answers each path with a file of the same ConfigMap. Its routes lie there, too, and are watched: they hold a hash
of each document, so that documents which changed are read again and no pod has to roll. Fields:
https://www.envoyproxy.io/docs/envoy/latest/api-v3/api.
"""

import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from sensorthings_operator.desired.catalogue.files import MOST_BYTES

PORT: Final = 8080
FOLDER: Final = "/etc/envoy"
"""Where the ConfigMap is mounted."""
BOOTSTRAP: Final = "envoy.json"
ROUTES: Final = "routes.json"
INDEX: Final = "index.html"
_MOST_CONNECTIONS: Final = 200
"""With so many, and documents as many as a ConfigMap takes, Envoy has 80 MiB."""
_TYPES: Final = {
    "rdf": "application/rdf+xml; charset=utf-8",
    "jsonld": "application/ld+json; charset=utf-8",
    "xml": "application/xml; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
_PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Content-Security-Policy of the page: it loads nothing."""
_SAFE_METHODS: Final = "GET|HEAD"

Config = dict[str, Any]


def served(documents: Mapping[str, str], *, title: str, url: str, path: str, folder: str = FOLDER) -> dict[str, str]:
    """What stands beside the documents: the page that lists them, and the routes that lead to each.

    Args:
        documents: by the names of their files.
        title: of the page.
        url: under which clients reach it, with a slash at its end.
        path: of that, without.
        folder: in which the files lie.
    """
    page = _page(sorted(documents), title, url)
    return {INDEX: page, ROUTES: _text(_routes({**documents, INDEX: page}, path, folder))}


def bootstrap(folder: str = FOLDER, port: int = PORT) -> str:
    """Envoy's own configuration, the same for every service."""
    connections = {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": _typed(
            "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            max_active_downstream_connections=_MOST_CONNECTIONS,
        ),
    }
    return _text(
        {
            "node": {"id": "catalogue", "cluster": "sensorthings"},
            "overload_manager": {"resource_monitors": [connections]},
            "static_resources": {"listeners": [_listener(folder, port)]},
        }
    )


def _listener(folder: str, port: int) -> Config:
    source = {"path": f"{folder}/{ROUTES}", "watched_directory": {"path": folder}}
    router = {"name": "envoy.filters.http.router", "typed_config": _typed("filters.http.router.v3.Router")}
    manager = _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="catalogue",
        common_http_protocol_options={"idle_timeout": "60s"},
        request_headers_timeout="5s",
        rds={
            "route_config_name": "catalogue",
            "config_source": {"path_config_source": source, "resource_api_version": "V3"},
        },
        http_filters=[router],
    )
    return {
        "name": "catalogue",
        # Inside the pod.
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},  # noqa: S104
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _typed(type_: str, **fields: Any) -> Config:
    return {"@type": f"type.googleapis.com/envoy.extensions.{type_}", **fields}


def _routes(documents: Mapping[str, str], path: str, folder: str) -> Config:
    listed = [route for name in sorted(documents) for route in _of(name, documents[name], path, folder)]
    routes = [_only_read(), *listed, _nothing_else(path)]
    resource = {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": "catalogue",
        "max_direct_response_body_size_bytes": MOST_BYTES,
        "virtual_hosts": [{"name": "catalogue", "domains": ["*"], "routes": routes}],
    }
    return {"resources": [resource]}


def _of(name: str, text: str, path: str, folder: str) -> list[Config]:
    """The routes of a document: for who has it already, and for everybody else."""
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {
        "content-type": _TYPES[name.rpartition(".")[2]],
        "etag": tag,
        "cache-control": "public, max-age=300",
        # Portals in a browser read services.json from other origins.
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
        **({"content-security-policy": _PAGE_POLICY} if name == INDEX else {}),
    }
    paths = [path, f"{path}/"] if name == INDEX else [f"{path}/{name}"]
    known = {"name": "if-none-match", "string_match": {"contains": tag}}
    return [
        route
        for each in paths
        for route in (
            _answer({"path": each, "headers": [known]}, headers, status=304),
            _answer({"path": each}, headers, status=200, body={"filename": f"{folder}/{name}"}),
        )
    ]


def _only_read() -> Config:
    method = {"name": ":method", "string_match": {"safe_regex": {"regex": _SAFE_METHODS}}, "invert_match": True}
    return _answer({"prefix": "/", "headers": [method]}, {"allow": "GET, HEAD"}, status=405)


def _nothing_else(path: str) -> Config:
    told = f"There is no such document. All of them are listed at {path}/\n"
    return _answer({"prefix": "/"}, {}, status=404, body={"inline_string": told})


def _answer(match: Config, headers: Mapping[str, str], **response: Any) -> Config:
    given = [
        {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for name, value in headers.items()
    ]
    route: Config = {"match": match, "direct_response": response}
    return {**route, "response_headers_to_add": given} if given else route


def _page(names: list[str], title: str, url: str) -> str:
    """A list of links, which harvesters of folders follow, too."""
    links = "\n".join(f'<li><a href="{escape(url + name)}">{escape(name)}</a></li>' for name in names)
    alternates = "\n".join(
        f'<link rel="alternate" type="{_TYPES[name.rpartition(".")[2]].partition(";")[0]}" href="{escape(url + name)}">'
        for name in names
        if name.startswith("catalogue.")
    )
    return (
        f'<!DOCTYPE html>\n<html lang="de">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"{alternates}\n<style>body {{font-family: sans-serif; margin: 2rem}}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<ul>\n{links}\n</ul>\n</body>\n</html>\n"
    )


def _text(content: Config) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
