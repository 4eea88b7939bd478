#!/usr/bin/env bash
# The arguments are variables, and lists are arrays. The script starts in an empty folder; the job's folder is
# $FLWD_JOB_DIR. flwd sets `set -Eeuo pipefail`, so the script ends with the first command that fails.

names=("$who" "${also[@]}")
greetings=0
flwd_log debug "names: ${#names[@]}, times: $times"

for ((round = 1; round <= times; round++)); do
  for name in "${names[@]}"; do
    text="Hello, $name."
    if [[ $dated == true ]]; then text+=" It is $(date +%F)."; fi
    if [[ $style == loud ]]; then text=${text^^}; fi
    echo "$text"                                       # printed lines become the log
    echo "$text" >> "$FLWD_ARTIFACTS_DIR/greetings.txt"  # files in this folder are kept as artifacts
    greetings=$((greetings + 1))
  done
  flwd_progress $((100 * round / times)) "$greetings greetings"
done

flwd_result "{\"greetings\": $greetings}"
