"""The edits of ingress-nginx's template hit what they are meant for, or fail: nothing is left half edited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcluster.errors import LocalClusterError
from localcluster.images.nginx_template import block, for_debian, insert_before, replace

TEMPLATE = """\
pid {{ .PID }};
daemon off;
http {
    init_by_lua_block { stays = true }
    server {
        {{ if $cfg.UseHTTP2 }}
            http2 on;
        {{ end }}
        listen 80;
    }
    # backend for when default-backend-service is not configured
    server {
        content_by_lua_block { stays() }
    }
}
stream {
    lua_package_path "somewhere";
    lua_shared_dict endpoints 5M;
    {{ buildResolvers $cfg.Resolver }}
    init_by_lua_block {
        if not ok then
          plugins = { {{ range .Plugins }}{{ . }}{{ end }} }
        end
    }
    init_worker_by_lua_block {
        start()
    }
    lua_add_variable $chosen;
    upstream upstream_balancer {
        server 0.0.0.1:1234;
        balancer_by_lua_block {
          choose()
        }
    }
    server {
        listen 127.0.0.1:{{ .StreamPort }};
        content_by_lua_block {
          take()
        }
    }
    {{ range $tcpServer := .TCPBackends }}
    server {
        preread_by_lua_block {
            ngx.var.chosen="tcp"
        }
        listen {{ $tcpServer.Port }};
        proxy_pass upstream_balancer;
    }
    {{ end }}
    {{ range $udpServer := .UDPBackends }}
    server {
        preread_by_lua_block {
            ngx.var.chosen="udp"
        }
        listen {{ $udpServer.Port }} udp;
        proxy_pass   upstream_balancer;
    }
    {{ end }}
}
{{ define "AFTER" }}kept{{ end }}
"""
EDITED = for_debian(TEMPLATE)
STREAM = block(EDITED, "stream {")


def test_modules_are_loaded_first() -> None:
    before, _, after = EDITED.partition("daemon off;\n")
    assert [line.split("/")[-1] for line in before.splitlines() if line.startswith("load_module ")] == [
        "ndk_http_module.so;",  # the Lua module needs it to be there already
        "ngx_http_lua_module.so;",
        "ngx_http_headers_more_filter_module.so;",
        "ngx_stream_module.so;",
    ]
    assert "load_module" not in after


def test_no_lua_is_left_for_streams_and_all_of_it_for_http() -> None:
    assert "lua" not in STREAM.lower()
    assert "upstream_balancer" not in STREAM
    http = block(EDITED, "http {")
    assert "init_by_lua_block { stays = true }" in http
    assert "content_by_lua_block { stays() }" in http


def test_http2_is_asked_for_in_the_way_of_older_nginx() -> None:
    assert "http2 on" not in EDITED
    assert EDITED.count("ssl http2;") == 4  # IPv4 and IPv6, each with and without an address
    assert EDITED.index("ssl http2;") < EDITED.index("# backend for when")


@pytest.mark.parametrize(("server", "protocol"), [("$tcpServer", "TCP"), ("$udpServer", "UDP")])
def test_services_are_led_to_their_cluster_address(server: str, protocol: str) -> None:
    (line,) = [each for each in STREAM.splitlines() if f"{server}.Service" in each]
    assert line.strip().startswith(f"proxy_pass {{{{ {server}.Service.Spec.ClusterIP }}}}:{{{{ range")
    assert f'"{protocol}"' in line
    assert line.count("{{ end }}") == line.count("{{ range") + line.count("{{ if") == 2
    assert line.endswith("{{ end }};")


def test_braces_and_actions_stay_in_balance() -> None:
    assert EDITED.count("{") == EDITED.count("}")
    opening = sum(EDITED.count(f"{{{{ {word} ") for word in ("if", "range", "define"))
    assert EDITED.count("{{ end }}") == opening


def test_what_follows_the_streams_is_kept() -> None:
    assert EDITED.endswith('{{ define "AFTER" }}kept{{ end }}\n')
    assert "listen {{ $tcpServer.Port }};" in STREAM
    assert "listen 127.0.0.1:{{ .StreamPort }};" in STREAM


@pytest.mark.parametrize(
    "anchor",
    [
        "daemon off;",
        "http2 on;",
        "# backend for when",
        "stream {",
        "lua_package_path",
        "lua_shared_dict",
        "{{ buildResolvers",
        "init_worker_by_lua_block {",
        "lua_add_variable",
        "upstream upstream_balancer {",
        "proxy_pass upstream",
    ],
)
@pytest.mark.parametrize("change", ["gone", "twice"])
def test_a_template_that_has_changed_is_refused(anchor: str, change: str) -> None:
    (line,) = [each for each in TEMPLATE.splitlines(keepends=True) if each.lstrip().startswith(anchor)]
    other = "" if change == "gone" else line * 2
    if line.rstrip().endswith("{") and change == "gone":
        other = line.replace(anchor, "renamed {")
    with pytest.raises(LocalClusterError, match=r"ingress-nginx's template") as raised:
        for_debian(TEMPLATE.replace(line, other))
    assert "localcluster.images.nginx_template" in raised.value.remedy


def test_what_was_not_found_is_told() -> None:
    with pytest.raises(LocalClusterError, match=r"0 lines of .* begin with 'daemon off;', where 1 should"):
        for_debian(TEMPLATE.replace("daemon off;", "daemon on;"))


def test_a_block_without_an_end_is_refused() -> None:
    with pytest.raises(LocalClusterError, match=r"begins with 'stream {' has no end"):
        block("stream {\n  server {\n}\n", "stream {")


def test_text_goes_before_the_line_and_moves_nothing() -> None:
    assert insert_before("a\n  b c\nd", "b", "new\n") == "a\nnew\n  b c\nd"


names = st.text("abc", min_size=1, max_size=3)
bodies = st.lists(st.text("xyz ;", max_size=5).map(lambda text: f"  {text}\n"), max_size=3).map("".join)
blocks = st.recursive(bodies, lambda inner: inner.map(lambda text: f"  inner {{\n{text}  }}\n"), max_leaves=3)


@given(st.lists(st.tuples(names, blocks), max_size=4), blocks)
def test_exactly_the_block_is_replaced(around: list[tuple[str, str]], body: str) -> None:
    others = ["".join(f"{name} {{\n{text}}}\n" for name, text in part) for part in (around[:2], around[2:])]
    text = f"{others[0]}wanted {{\n{body}}}\n{others[1]}"
    assert replace(text, "wanted {", "new\n") == f"{others[0]}new\n{others[1]}"
    assert block(text, "wanted {") == f"wanted {{\n{body}}}\n"
