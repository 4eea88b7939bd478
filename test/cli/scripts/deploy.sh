#!/bin/bash
# Deploys a version of the shop.
set -e
ENVIRONMENT=staging
VERSION=
DRY_RUN=no
YES=no
while [ $# -gt 0 ]; do
  case "$1" in
    --env) ENVIRONMENT="$2"; shift 2 ;;
    --version) VERSION="$2"; shift 2 ;;
    --dry-run) DRY_RUN=yes; shift ;;
    -y|--yes) YES=yes; shift ;;
    -h|--help) echo "usage: deploy.sh --version V [--env E] [--dry-run] [-y]"; exit 0 ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
done
if [ -z "$VERSION" ]; then
  echo "--version is missing" >&2
  exit 2
fi
if [ "$YES" != yes ]; then
  read -r -p "Deploy $VERSION to $ENVIRONMENT? [y/N] " answer
  [ "$answer" = y ] || { echo "not deployed"; exit 1; }
fi
if [ "$DRY_RUN" = yes ]; then echo "would deploy $VERSION to $ENVIRONMENT"; exit 0; fi
echo "$VERSION" > ~/.deployed-"$ENVIRONMENT"
echo "deployed $VERSION to $ENVIRONMENT"
