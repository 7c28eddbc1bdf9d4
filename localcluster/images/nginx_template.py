"""Turns ingress-nginx's template of nginx.conf into one that Debian's nginx understands, while the image is built.

Upstream's file comes out of the Go module and is never part of this repository. Every edit names the lines that it
replaces by what they begin with, and fails unless there are exactly as many of them as it expects: another version of
ingress-nginx must be looked at by a person. `prepare` calls `for_debian`.
"""

from __future__ import annotations

from localcluster.errors import LocalClusterError

_MODULES = """\
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
load_module /usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
"""

# Before nginx 1.25.1 HTTP/2 belongs to the listening socket: one server that asks for it turns it on for all of them.
_HTTP2_SERVER = """\
    {{ if $cfg.UseHTTP2 }}
    {{ $port := $all.ListenPorts.HTTPS }}
    {{ if $all.IsSSLPassthroughEnabled }}{{ $port = $all.ListenPorts.SSLProxy }}{{ end }}
    {{ $proxied := "" }}
    {{ if or $all.IsSSLPassthroughEnabled $cfg.UseProxyProtocol }}{{ $proxied = "proxy_protocol" }}{{ end }}
    server {
        server_name http2.invalid;
        {{ range $address := $cfg.BindAddressIpv4 }}
        listen {{ $address }}:{{ $port }} {{ $proxied }} ssl http2;
        {{ else }}
        listen {{ $port }} {{ $proxied }} ssl http2;
        {{ end }}
        {{ if $IsIPV6Enabled }}
        {{ range $address := $cfg.BindAddressIpv6 }}
        listen {{ $address }}:{{ $port }} {{ $proxied }} ssl http2;
        {{ else }}
        listen [::]:{{ $port }} {{ $proxied }} ssl http2;
        {{ end }}
        {{ end }}
        set $proxy_upstream_name "internal";
        access_log off;
        return 444;
    }
    {{ end }}
"""

# The controller sends the endpoints of TCP and UDP services here, for Lua. They are read, so that the controller is not
# refused, and thrown away.
_NO_ENDPOINTS = """\
        preread_buffer_size 1m;
        ssl_preread on;
        return "";
"""


def for_debian(template: str) -> str:
    """The template for nginx 1.22 with Lua for HTTP and without Lua for streams.

    TCP and UDP services are led to the ClusterIP of their Service, where kube-proxy chooses the endpoint.

    Raises:
        LocalClusterError: The template is not one that these edits were made for.
    """
    edited = insert_before(template, "daemon off;", _MODULES)
    edited = replace(edited, "http2 on;", "")
    edited = insert_before(edited, "# backend for when default-backend-service", _HTTP2_SERVER)
    stream = block(edited, "stream {")
    return edited.replace(stream, _without_lua(stream))


def _without_lua(stream: str) -> str:
    for start in ("lua_package_path", "lua_shared_dict", "lua_add_variable", "{{ buildResolvers"):
        stream = replace(stream, start, "")
    for start in ("init_by_lua_block {", "init_worker_by_lua_block {", "upstream upstream_balancer {"):
        stream = replace(stream, start, "")
    stream = replace(stream, "preread_by_lua_block {", "", "")
    stream = replace(stream, "content_by_lua_block {", _NO_ENDPOINTS)
    return replace(stream, "proxy_pass ", _target("$tcpServer", "TCP"), _target("$udpServer", "UDP"))


def _target(server: str, protocol: str) -> str:
    """`proxy_pass` to the port of the Service that the ConfigMap named, by its name or its number."""
    named = f"(eq $port.Name {server}.Backend.Port.StrVal)"
    numbered = f'(eq (printf "%d" $port.Port) {server}.Backend.Port.StrVal)'
    meant = f'and (eq (printf "%s" $port.Protocol) "{protocol}") (or {named} {numbered})'
    number = (
        f"{{{{ range $port := {server}.Service.Spec.Ports }}}}{{{{ if {meant} }}}}{{{{ $port.Port }}}}{{{{ end }}}}"
    )
    return f"        proxy_pass {{{{ {server}.Service.Spec.ClusterIP }}}}:{number}{{{{ end }}}};\n"


def insert_before(text: str, start: str, new: str) -> str:
    """Put text before the one line that begins with `start`, indentation aside. Raises LocalClusterError otherwise."""
    lines = text.splitlines(keepends=True)
    (number,) = _find(lines, start, 1)
    return "".join([*lines[:number], new, *lines[number:]])


def block(text: str, start: str) -> str:
    """The one block whose first line begins with `start`. Raises LocalClusterError when there is not exactly one."""
    lines = text.splitlines(keepends=True)
    (number,) = _find(lines, start, 1)
    return "".join(lines[number : _end(lines, number)])


def replace(text: str, start: str, *new: str) -> str:
    """Replace each line that begins with `start`, or the block that it opens, by the text of the same number.

    Args:
        text: What is edited.
        start: Begins the lines, indentation aside.
        new: As many texts as there must be such lines.

    Raises:
        LocalClusterError: There are more or fewer, or a block does not end.
    """
    lines = text.splitlines(keepends=True)
    edited: list[str] = []
    done = 0
    for number, replacement in zip(_find(lines, start, len(new)), new, strict=True):
        edited += [*lines[done:number], replacement]
        done = _end(lines, number)
    return "".join([*edited, *lines[done:]])


def _find(lines: list[str], start: str, times: int) -> list[int]:
    found = [number for number, line in enumerate(lines) if line.lstrip().startswith(start)]
    if len(found) != times:
        raise LocalClusterError(
            f"{len(found)} lines of ingress-nginx's template begin with {start!r}, where {times} should.",
            f"Is this another version of ingress-nginx? Look at its template, and mend {__name__}.",
        )
    return found


def _end(lines: list[str], first: int) -> int:
    """The number of the line after the one that closes the braces which the first line opens."""
    depth = 0
    for number in range(first, len(lines)):
        depth += lines[number].count("{") - lines[number].count("}")
        if depth <= 0:
            return number + 1
    raise LocalClusterError(
        f"The block that begins with {lines[first].strip()!r} has no end in ingress-nginx's template.",
        f"Is this another version of ingress-nginx? Look at its template, and mend {__name__}.",
    )
