#!/usr/bin/env bash
# `npm run check:image`: builds the image of packaging/Dockerfile with Podman, and follows docs/install.md with it. It
# downloads no image: it makes the base image from Debian's packages and the Node of this checkout. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then exec sudo --preserve-env=CI "PATH=$PATH" "$0" "$@"; fi
export PATH="$PWD/node_modules/.bin:$PATH"
for program in curl debootstrap ip podman; do
  command -v "$program" >/dev/null && continue
  echo "check:image needs $program: apt-get install --no-install-recommends curl debootstrap iproute2 podman" >&2
  exit 1
done

if [ "${1-}" != inside ]; then
  scratch=$(mktemp -d /var/tmp/flwd-image-XXXXXX)
  trap 'rm -rf --one-file-system "$scratch"' EXIT
  # All processes and mounts end with these namespaces.
  unshare --mount --pid --fork --kill-child --mount-proc "$0" inside "$scratch"
  exit
fi

# From here on, this script is in its namespaces. Podman keeps its images, its state and its locks in folders that
# nothing else uses.
scratch=$2
mkdir -p "$scratch"/{bin,images,run,work,checkout} /var/lib/containers
mount --bind "$scratch/images" /var/lib/containers
mount -t overlay -o "lowerdir=/run,upperdir=$scratch/run,workdir=$scratch/work" overlay /run
mount -t tmpfs tmpfs /dev/shm
# crun does not work with the cgroups of version 1 that a machine may have.
mount -t cgroup2 none /sys/fs/cgroup
# The default limits of Podman may be higher than those of this machine.
cat >"$scratch/containers.conf" <<END
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=$(ulimit -Hu):$(ulimit -Hu)"]
netns = "host"
END
# With its own image format, Podman ignores HEALTHCHECK.
export CONTAINERS_CONF=$scratch/containers.conf BUILDAH_FORMAT=docker
# Only Podman gives a user whom the image does not know an entry in /etc/passwd, with a home.
cat >"$scratch/bin/docker" <<'END'
#!/bin/sh
if [ "$1" = run ]; then shift && set -- run --passwd=false "$@"; fi
exec podman "$@"
END
chmod +x "$scratch/bin/docker"
export PATH="$scratch/bin:$PATH"

quietly() { "$@" >"$scratch/log" 2>&1 || { tail -n 40 "$scratch/log"; exit 1; }; }

# The base image: a minimal Debian with Node and npm, and with this machine's registries and certificates.
base=$scratch/base
# tini is in Debian's main, but in Ubuntu's universe.
# shellcheck disable=SC2016
read -r site suite components < <(
  apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | awk '
    /^http/ && !site { site = $1; suite = $2 }
    $1 == site && $2 == suite { components = components (components ? "," : "") $3 }
    END { print site, suite, components }'
)
quietly debootstrap --variant=minbase --components="$components" --include=ca-certificates "$suite" "$base" "$site"
cp /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs"
# As in Debian's own images, apt keeps nothing that it has downloaded.
echo 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin"; };' >"$base/etc/apt/apt.conf.d/docker-clean"
rm -rf "$base"/var/cache/apt/* "$base"/var/lib/apt/lists/*
npm=$base/usr/local/lib/node_modules/npm
mkdir -p "$npm" "$base/usr/local/etc"
install node_modules/node/bin/node "$base/usr/local/bin"
npm pack --silent --pack-destination "$scratch" "npm@$(npm --version)" >/dev/null
tar -xzf "$scratch"/npm-*.tgz -C "$npm" --strip-components 1
chmod +x "$npm/bin/npm-cli.js"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$base/usr/local/bin/npm"
printf 'registry=%s\ncafile=/etc/ssl/certs/ca-certificates.crt\n' "$(npm config get registry)" >"$base/usr/local/etc/npmrc"
tar -C "$base" -c . >"$scratch/base.tar"
quietly podman import "$scratch/base.tar" "docker.io/library/$(awk '$1 == "FROM" { print $2; exit }' packaging/Dockerfile)"

# The commands of docs/install.md make folders, so the tests follow them in a copy of this checkout.
tar --exclude=./.git --exclude=./build --exclude=node_modules -c . | tar -x -C "$scratch/checkout"
(cd "$scratch/checkout" && quietly docker build -f packaging/Dockerfile -t flwd .)
podman images --format '{{.Repository}}: {{.Size}}' | grep -v none

# In a network of its own, port 8080 is free.
export FLWD_TEST_SCRATCH=$scratch
unshare --net sh -c 'ip link set lo up && exec vitest run --config vitest.release.config.ts test/release/image.test.ts'
