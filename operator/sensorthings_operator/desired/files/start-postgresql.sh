#!/bin/bash
# Starts PostgreSQL with PostGIS in a pod of the managed database. Mounted by the operator, run as the postgres user.
# Makes the data directory where there is none, and brings role, database and password to what the Secret says at each
# start, so that a changed Secret needs no more than a restart.
set -euo pipefail
umask 077

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

if [ "$(psql -h /tmp -U postgres -tAc 'select pg_is_in_recovery()')" = f ]; then
  psql -h /tmp -U postgres --quiet --set=ON_ERROR_STOP=1 \
    --set=owner="$(<"$CREDENTIALS/username")" --set=password="$(<"$CREDENTIALS/password")" --set=database="$DATABASE" <<'SQL'
select format('create role %I login', :'owner')
  where not exists (select from pg_roles where rolname = :'owner') \gexec
-- The server's log never sees the password.
set log_statement = 'none';
set log_min_error_statement = 'panic';
alter role :"owner" login password :'password';
select format('create database %I owner %I', :'database', :'owner')
  where not exists (select from pg_database where datname = :'database') \gexec
\connect :"database"
set client_min_messages = warning;
create extension if not exists postgis;
SQL
fi

wait "$postgres_pid" || wait "$postgres_pid"
