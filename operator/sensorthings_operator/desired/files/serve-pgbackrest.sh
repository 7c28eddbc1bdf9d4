#!/bin/bash
# Runs pgBackRest's server, and has it read its certificates again each hour: they are renewed long before they expire.
# Mounted by the operator.
set -euo pipefail

bash /etc/pgbackrest/run.sh server &
server=$!
trap 'kill -TERM "$server"' TERM INT

while sleep 3600; do kill -HUP "$server"; done &

wait "$server" || wait "$server"
