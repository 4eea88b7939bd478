#!/usr/bin/env bash
# The arguments are there as variables, a list as an array. It starts in an empty folder of its own; the job's folder is
# $FLWD_JOB_DIR. It ends with the first command that fails: `set -Eeuo pipefail` is in force.

names=("$who" "${also[@]}")
greetings=0
flwd_log debug "names: ${#names[@]}, times: $times"

for ((round = 1; round <= times; round++)); do
  for name in "${names[@]}"; do
    text="Hello, $name."
    if [[ $dated == true ]]; then text+=" It is $(date +%F)."; fi
    if [[ $style == loud ]]; then text=${text^^}; fi
    echo "$text"                                       # what it prints is its log
    echo "$text" >> "$FLWD_ARTIFACTS_DIR/greetings.txt"  # files in here are kept as artifacts
    greetings=$((greetings + 1))
  done
  flwd_progress $((100 * round / times)) "$greetings greetings"
done

flwd_result "{\"greetings\": $greetings}"
