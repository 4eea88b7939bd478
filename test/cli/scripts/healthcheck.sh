#!/bin/sh
# Checks that the shop answers.
URL=${1:-http://127.0.0.1:9099/health}
if curl -fsS --max-time 5 "$URL" > /dev/null; then
  echo "$URL answers"
else
  echo "$URL is down" >&2
  exit 1
fi
