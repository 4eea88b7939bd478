#!/bin/sh
# flwd @VERSION@ for @PLATFORM@, in one file: this script, and behind it a compressed archive of flwd and its own Node.
# The first start unpacks the archive into flwd/DIGEST below XDG_CACHE_HOME (~/.cache).
# Later starts check that nobody has changed it since. docs/install.md explains this file, docs/adr/0054 its design.

# The folder's name is the digest of the file SUMS in it, which has the digest of every other file.
digest=@DIGEST@
archive_line=@ARCHIVE_LINE@
# The folder changes before the archive is read.
case $0 in
  /*) self=$0 ;;
  *) self=$PWD/$0 ;;
esac

fail() {
  printf 'flwd: %s\n' "$1" >&2
  exit 2
}

# Prints the folder with flwd in it, and unpacks it first if necessary. A subshell: the caller's variables, PATH and
# umask stay as they are.
prepare() (
  PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
  export PATH LC_ALL
  unset CDPATH TAR_OPTIONS GZIP POSIXLY_CORRECT
  cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
  case $cache in
    /*) ;;
    *) fail 'there is no folder to unpack into: set HOME or XDG_CACHE_HOME to a full path' ;;
  esac
  [ ! -L "$cache/flwd" ] || fail "$cache/flwd is a symbolic link: $elsewhere"
  trust "$cache/flwd/$digest"
  # A path without symbolic links, so that nobody can point one elsewhere after the check.
  folder=$trusted
  if ! is_untouched; then
    umask 077
    if [ ! -d "${folder%/*}" ] && ! mkdir -p "${folder%/*}"; then fail "$elsewhere"; fi
    # In a folder such as /tmp, another user may have created a part of the path since the check.
    trust "${folder%/*}"
    [ "$trusted" = "${folder%/*}" ] || fail "$trusted is changing: start flwd again"
    unpack || exit
  fi
  printf %s "$folder"
)

elsewhere='it unpacks itself once, so set XDG_CACHE_HOME to a folder that you may write to and start programs from'

# Sets $trusted to the path without symbolic links. Anyone who can write to a folder on this path can make the caller
# run any program, so only the caller and the owner of / (root) may.
trust() {
  existing=$1 missing=
  until [ -e "$existing" ]; do
    missing=/${existing##*/}$missing existing=${existing%/*} existing=${existing:-/}
  done
  existing=$(cd -P -- "$existing" && pwd -P) || fail "$existing is no folder that you may enter: $elsewhere"
  existing=${existing%/}
  trusted=$existing$missing path=$existing
  set --
  while [ -n "$path" ]; do
    set -- "$@" "$path"
    path=${path%/*}
  done
  owners=$(stat -c '%u %A %n' -- / "$@") || fail "$trusted is changing: start flwd again"
  root=
  problem=$(printf '%s\n' "$owners" | while read -r owner mode name; do
    root=${root:-$owner}
    if [ "$owner" != "$root" ] && ! [ -O "$name" ]; then
      echo "$name belongs to another user"
    else
      case $mode in
        d????????[tT]) ;; # Others may add files, but cannot replace what they do not own.
        d????w???? | d???????w?) echo "other users may write to $name" ;;
        d*) ;;
        *) echo "$name is no folder" ;;
      esac
    fi
  done)
  [ -z "$problem" ] || fail "$problem, so flwd does not start programs from below it: $elsewhere"
}

# What the file system says of each file. It differs after any write, change of mode or replacement. flwd itself keeps
# compiled code in dist/.cache.
look() {
  find . -path ./dist/.cache -prune -o -path ./seal -prune -o \
    \( -type d -printf '%p %m %U\n' -o -printf '%p %m %U %s %i %C@\n' \)
}

is_untouched() {
  cd -- "$folder" 2>/dev/null && look | cmp -s - seal
}

# Reads every file, which takes longer than flwd's own start.
is_complete() {
  cd -- "$1" && printf '%s  SUMS\n' "$digest" | sha256sum --check --status &&
    sha256sum --check --status --strict SUMS
} 2>/dev/null

archive() {
  tail -n "+$archive_line" -- "$self"
}

# Only one start at a time unpacks; the kernel releases the lock of one that was killed.
unpack() (
  if ! cd -- "${folder%/*}" || ! touch lock; then
    is_complete "$folder" && exit
    fail "cannot write to ${folder%/*}: $elsewhere"
  fi
  exec 9>lock
  flock 9
  is_untouched && exit
  if is_complete "$folder" && [ -x node ]; then
    # Only times or inodes differ, because the folder was copied or restored.
    look >seal
    exit
  fi
  cd -- "${folder%/*}" && rm -rf new old && mkdir new || fail "cannot write to ${folder%/*}: $elsewhere"
  if ! errors=$(archive | tar -xzpf - --no-same-owner -C new 2>&1); then
    rm -rf new
    archive | gzip --test 2>/dev/null || fail "$0 is damaged: copy it again"
    printf '%s\n' "$errors" >&2
    fail "cannot unpack into ${folder%/*}: $elsewhere"
  fi
  if ! (is_complete new); then
    rm -rf new
    fail "$0 is damaged: copy it again"
  fi
  if ! new/node --version >/dev/null; then
    rm -rf new
    fail "its own Node does not start in ${folder%/*}. If it may not start programs there (noexec): $elsewhere"
  fi
  (cd new && look >seal)
  if [ -e "$digest" ]; then mv -- "$digest" old; fi
  mv -- new "$digest" || fail "cannot write to ${folder%/*}: $elsewhere"
  rm -rf old
  remove_earlier
)

# Removes what other versions unpacked, unless a server of theirs runs or scripts that it started.
remove_earlier() {
  for other in [0-9a-f]*; do
    [ "${#other}" -eq 64 ] && [ "$other" != "$digest" ] || continue
    # The pattern is no argument, because grep would find its own.
    printf %s "$other" | grep -qs -F -f - /proc/[0-9]*/maps /proc/[0-9]*/mountinfo /proc/[0-9]*/cmdline ||
      rm -rf "$other"
  done
}

FLWD_UNPACKED=$(prepare) || exit
set -- "$FLWD_UNPACKED/node" "$FLWD_UNPACKED/bin/flwd.js" "$@"
unset FLWD_UNPACKED
exec "$@"
