#!/bin/bash
# Starts Patroni, which runs PostgreSQL, in a pod of a pair of managed databases. Mounted by the operator, run as the
# postgres user.
set -euo pipefail
umask 077

# A pod that was deleted by force may still run while its successor starts: two never have the same data.
exec 9>"$DATA/.lock"
flock 9

# What a copy of the primary writes last is not there: it was cut short, and Patroni would wait for somebody to say so.
if [ ! -e "$PGDATA/global/pg_control" ]; then
  rm -rf "$PGDATA"
fi

has() { [ -e "$PGDATA/$1" ]; }

# Data of a single instance, which Patroni has not seen yet. It asks for roles before it makes any.
if has PG_VERSION && ! has patroni.dynamic.json && ! has backup_label && ! has standby.signal; then
  # Not to be reached from elsewhere; a recovery after a crash may take its time. What it archived to may be another's,
  # whose files these were: nothing is archived, and what is to be is kept. Without an archive it would be let go.
  pg_ctl start --pgdata="$PGDATA" --wait --timeout=3600 --silent \
    --options="-c listen_addresses= -c unix_socket_directories=/tmp -c archive_mode=on -c archive_command=false"
  bash /etc/sensorthings/prepare.sh
  pg_ctl stop --pgdata="$PGDATA" --wait --timeout=3600 --silent --mode=fast
fi

settings=$PATRONICTL_CONFIG_FILE
mkdir -p "$settings"
cp /etc/sensorthings/patroni.yml "$settings/1.yml"
# The first pod alone may make a database. Another one that comes first to an existing one waits for that.
case $PATRONI_NAME in
  *-0) cp /etc/sensorthings/bootstrap.yml "$settings/2.yml" ;;
esac

exec patroni "$settings"
