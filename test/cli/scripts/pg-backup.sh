#!/bin/bash
# Dumps the shop database and keeps the last dumps.
set -euo pipefail
: "${PGPASSWORD:?set the password of the database}"
export PGPASSWORD
export PGHOST=${PGHOST:-localhost}
DB=${1:-shop}
BACKUP_DIR=${BACKUP_DIR:-$HOME/backups}
KEEP=${KEEP:-3}
LOG=/var/log/pg-backup.log

mkdir -p "$BACKUP_DIR"
file="$BACKUP_DIR/$DB-$(date +%F-%H%M%S-%N).sql.gz"
pg_dump -U "${PGUSER:-shop}" "$DB" | gzip > "$file"
ls -1t "$BACKUP_DIR/$DB"-*.sql.gz | tail -n +$((KEEP + 1)) | xargs -r rm --
echo "dumped $DB to $file" | tee -a "$LOG"
