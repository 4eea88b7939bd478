#!/usr/bin/env bash
# Reads a repository it does not own and may not write: no index refresh, no hooks, no pager.

repo() { git -c safe.directory='*' --no-optional-locks --no-pager -C "$repository" "$@"; }

if ! repo rev-parse --git-dir > /dev/null; then
  flwd_log error "$repository is not a git repository"
  exit 1
fi

branch=$(repo rev-parse --abbrev-ref HEAD)
commit=$(repo rev-parse HEAD)
total=$(repo rev-list --count HEAD)
changed=$(repo status --porcelain | wc -l)
authors=$(repo shortlog --summary HEAD | wc -l)
flwd_log info "On $branch at ${commit:0:12}: $total commits by $authors authors, $changed uncommitted changes"

{
  echo "# $branch at ${commit:0:12}"
  echo
  echo "$total commits by $authors authors, $changed uncommitted changes."
  echo
  echo "## The last $commits commits"
  echo
  repo log --max-count="$commits" --format='- %h %ad %s' --date=short
} > "$FLWD_ARTIFACTS_DIR/state.md"

flwd_output commit "$commit"
flwd_result "{\"branch\": \"$branch\", \"commit\": \"$commit\", \"commits\": $total, \"authors\": $authors, \"uncommitted\": $changed}"
