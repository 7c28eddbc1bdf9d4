#!/bin/bash
# Starts PostgreSQL with PostGIS in a pod of the managed database. Mounted by the operator, run as the postgres user.
# Makes the data directory where there is none, and brings role, database and password to what the Secret says at each
# start, so that a changed Secret needs no more than a restart.
set -euo pipefail
umask 077

# A pod that was deleted by force may still run while its successor starts: two never have the same data. PostgreSQL's
# processes hold the lock, too.
exec 9>"$DATA/.lock"
flock 9

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # Whole or not at all: a start that was cut short begins again.
  rm -rf "$PGDATA" "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username=postgres --auth-local=peer --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  mv -T "$PGDATA.new" "$PGDATA"
fi

postgres -D "$PGDATA" -c config_file=/etc/sensorthings/postgresql.conf -c hba_file=/etc/sensorthings/pg_hba.conf &
postgres_pid=$!
# TERM would wait for every client to leave; INT ends their sessions and writes a clean checkpoint.
trap 'kill -INT "$postgres_pid"' TERM INT

ready() { pg_isready --quiet --host=/tmp; }
until ready; do
  kill -0 "$postgres_pid" 2>/dev/null || { wait "$postgres_pid"; exit 1; }
  sleep 0.1
done

bash /etc/sensorthings/prepare.sh

wait "$postgres_pid" || wait "$postgres_pid"
