#!/bin/sh
# Runs a command as root in another root folder, which shares the machine's /tmp, /var/tmp, network and processes.
# usage: in-root.sh ROOT COMMAND [WORD]…
# A mount namespace of its own, so nothing stays mounted. chroot would not do: the kernel gives no user namespace to a
# process in a chroot.
# shellcheck disable=SC2016
exec unshare --mount --propagation private sh -c '
  root=$1 here=$PWD
  shift
  mount --bind "$root" "$root" && cd "$root" || exit
  for shared in dev proc sys tmp var/tmp; do mount --rbind "/$shared" "$shared" || exit; done
  pivot_root . mnt && umount --lazy /mnt && { cd "$here" 2>/dev/null || cd /; } && exec "$@"
' sh "$@"
