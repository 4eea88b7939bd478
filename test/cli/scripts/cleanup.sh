#!/bin/bash
# Removes old uploads.
CLEAN_DIR="${CLEAN_DIR:-/srv/uploads}"
MAX_DAYS="${MAX_DAYS:-30}"
DRY_RUN="${DRY_RUN:-false}"
cd "$CLEAN_DIR" || exit 1
if [ "$DRY_RUN" = true ]; then
  find . -type f -mtime "+$MAX_DAYS" -print
else
  find . -type f -mtime "+$MAX_DAYS" -print -delete
fi
echo "cleaned $CLEAN_DIR"
