#!/bin/bash
# Runs pgBackRest with the keys that the Secret of the store holds now, where there is one: keys that change need no
# restart of a database. Mounted by the operator.
set -euo pipefail

keys=/run/sensorthings/storage
if [ -r "$keys/accessKeyId" ]; then
  PGBACKREST_REPO1_S3_KEY=$(<"$keys/accessKeyId")
  PGBACKREST_REPO1_S3_KEY_SECRET=$(<"$keys/secretAccessKey")
  export PGBACKREST_REPO1_S3_KEY PGBACKREST_REPO1_S3_KEY_SECRET
fi

exec pgbackrest "$@"
