#!/usr/bin/env bash
# `npm run check:release`: builds the single file and the Debian package, and tests both, also with the tests of the
# API's conformance. Needs root and Debian or Ubuntu: it installs packages, and makes a root folder with Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then exec sudo --preserve-env=CI "PATH=$PATH" "$0" "$@"; fi
export DEBIAN_FRONTEND=noninteractive PATH="$PWD/node_modules/.bin:$PATH"
apt-get update -qq
apt-get install -y -qq --no-install-recommends bubblewrap debootstrap python3

rm -rf build
npm run --silent binary
npm run --silent deb

scratch=$(mktemp -d /var/tmp/flwd-release-XXXXXX)
trap 'rm -rf --one-file-system "$scratch"' EXIT
# The suite and mirror of this machine.
# shellcheck disable=SC2016
read -r site suite < <(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | grep '^http' | head -n 1)
export FLWD_TEST_ROOT="$scratch/root"
debootstrap --variant=minbase --include=adduser,bubblewrap,python3,systemd "$suite" "$FLWD_TEST_ROOT" "$site" >"$scratch/log" ||
  { tail -n 20 "$scratch/log" "$FLWD_TEST_ROOT/debootstrap/debootstrap.log"; exit 1; }

vitest run --config vitest.release.config.ts test/release/{binary,deb}.test.ts

XDG_CACHE_HOME=$scratch/cache FLWD_TEST_BIN=$(echo "$PWD"/build/flwd-*) vitest run --project package test/conformance

# The last of the tests above leaves the package installed. These tests have configurations of their own.
rm "$FLWD_TEST_ROOT/etc/flwd/flwd.yaml"
printf '#!/bin/sh\nexec %q %q /usr/bin/flwd "$@"\n' "$PWD/test/release/in-root.sh" "$FLWD_TEST_ROOT" >"$scratch/flwd"
chmod +x "$scratch/flwd"
FLWD_TEST_BIN=$scratch/flwd vitest run --project package test/conformance
