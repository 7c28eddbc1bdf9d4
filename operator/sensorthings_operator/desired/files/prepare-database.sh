#!/bin/bash
# Brings roles, database, PostGIS and passwords to what the Secrets say, where PostgreSQL takes writes; a standby has them
# from its primary. Run at each start of a single instance, and by Patroni at each start and change of role, with what
# happened and the role as arguments.
set -euo pipefail

ask() { psql -h /tmp -U postgres --quiet --no-psqlrc -tA --set=ON_ERROR_STOP=1 "$@"; }

# One that was made the primary takes writes a moment later.
for _ in {1..300}; do
  writable=$(ask -c 'select not pg_is_in_recovery()' 2>/dev/null || echo away)
  if [ "$writable" = t ] || [ "${2:-replica}" = replica ]; then break; fi
  sleep 0.2
done
[ "$writable" = t ] || exit 0

ask --set=owner="$(<"$CREDENTIALS/username")" --set=password="$(<"$CREDENTIALS/password")" --set=database="$DATABASE" \
  <<'SQL'
-- Its standby may not be there yet.
set synchronous_commit = local;
select format('create role %I login', :'owner')
  where not exists (select from pg_roles where rolname = :'owner') \gexec
-- The server's log never sees the password.
set log_statement = 'none';
set log_min_error_statement = 'panic';
alter role :"owner" login password :'password';
select format('create database %I owner %I', :'database', :'owner')
  where not exists (select from pg_database where datname = :'database') \gexec
\connect :"database"
set synchronous_commit = local;
set client_min_messages = warning;
create extension if not exists postgis;
SQL

[ -n "${REPLICATION:-}" ] || exit 0
ask --set=replication="$REPLICATION_USERNAME" --set=replication_password="$(<"$REPLICATION/replication")" \
  --set=rewind="$REWIND_USERNAME" --set=rewind_password="$(<"$REPLICATION/rewind")" <<'SQL'
set synchronous_commit = local;
select format('create role %I login', name) from unnest(array[:'replication', :'rewind']) as name
  where not exists (select from pg_roles where rolname = name) \gexec
set log_statement = 'none';
set log_min_error_statement = 'panic';
alter role :"replication" login replication password :'replication_password';
alter role :"rewind" login password :'rewind_password';
-- What pg_rewind calls, see its manual page.
grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),
  pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) to :"rewind";
SQL
