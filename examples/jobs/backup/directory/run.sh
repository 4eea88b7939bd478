#!/usr/bin/env bash
# Packs $source, writes a checksum, restores the archive, and fails if the restored files differ.

archive="$FLWD_ARTIFACTS_DIR/$name.tar.gz"
restored=$(mktemp -d)
trap 'rm -rf "$restored"' EXIT

flwd_log info "Packing $source"
tar --create --sort=name --numeric-owner --directory "$source" . | gzip "-$level" --no-name > "$archive"
flwd_progress 50 "packed"

(cd "$FLWD_ARTIFACTS_DIR" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")

flwd_log info "Restoring it to compare"
(cd "$FLWD_ARTIFACTS_DIR" && sha256sum --check --quiet "$name.tar.gz.sha256")
tar --extract --gzip --no-same-owner --file "$archive" --directory "$restored"
diff --recursive --brief "$source" "$restored"
flwd_progress 100 "verified"

files=$(find "$restored" -type f | wc -l)
bytes=$(stat --format %s "$archive")
sha256=$(cut -d ' ' -f 1 "$archive.sha256")
flwd_result "{\"files\": $files, \"size_bytes\": $bytes, \"sha256\": \"$sha256\", \"verified\": true}"
flwd_log info "Backed up $files files in $bytes bytes"
