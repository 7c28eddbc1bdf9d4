#!/bin/bash
# Runs pgBackRest's server, and has it read its certificates again each hour: they are renewed long before they expire.
# Mounted by the operator.
set -euo pipefail

bash /etc/pgbackrest/run.sh server &
server=$!
trap 'kill -TERM "$server" 2>/dev/null || true' TERM INT

while kill -0 "$server" 2>/dev/null; do
  sleep 3600 &
  wait -n "$server" "$!" || true
  kill -HUP "$server" 2>/dev/null || true
done
wait "$server"
