# Starts the shims. Each shim is a fork of this small process. Forking the server, which is a hundred times as large,
# would stop the server meanwhile (ADR 0008).
# usage: fork-server.bash PIPES_DIR FILTER [DESCRIPTOR…]
# It closes the descriptors, which the server inherited. They may be above the limit of open files.
# fd 0: orders of the server. Each begins with the lengths of its two parts, in eight digits each. Only the shim reads
#   the second part, and reports through `handoff` when it has.
# fd 3: `refused N` when there is no pipe for the Nth order; `ended N`, which its shim writes (libexec/shim.bash)

# Each shim leads a process group, so that it can be ended as a group.
set -m
# The last command of a pipeline runs in the shim itself.
shopt -s lastpipe
# Not exported: here lengths are in bytes, but the job keeps its own locale.
LC_ALL=C
unset PWD OLDPWD SHLVL
# No core dumps: a shim has secrets in memory.
core_limit=$(ulimit -Sc)
ulimit -Sc 0

# The file of the seccomp filter. Orders refer to it.
filter=$2
pipes=$1 spare=0 number=0
for fd in "${@:3}"; do exec {fd}<&-; done
IFS= read -r boot_id </proc/sys/kernel/random/boot_id || exit
mkfifo "$pipes"/{handoff,idle} && exec {handoff}<>"$pipes/handoff" || exit
source "${BASH_SOURCE[0]%/*}/shim.bash"

# Opens a pipe for a script's stderr as fd 4, and as fd 9 a pipe through which the shim lets bwrap continue. A script
# may open /dev/stderr again as another user than the server's, which an ordinary pipe refuses. These pipes are open to
# all users, in a folder that is not. One mkfifo makes many of them, because it costs as much as a shim.
take_pipe() {
  if ((spare == 0)); then
    rm -f "$pipes"/[0-9]* && mkfifo -m 666 "$pipes"/{1..64} || return
    spare=64
  fi
  exec 4<>"$pipes/$spare" 9<>"$pipes/$((spare - 1))" && spare=$((spare - 2)) || return
  # The next server removes the pipes. Then `<>` creates ordinary files, on which nobody can wait.
  [[ -p /proc/self/fd/4 && -p /proc/self/fd/9 ]]
}

while IFS= read -rN 16 lengths && IFS= read -rN "$((10#${lengths:0:8}))" order; do
  number=$((number + 1)) hidden_length=$((10#${lengths:8}))
  if take_pipe; then
    run_attempt &
    exec 4>&- 9>&-
  else
    printf 'refused %s\n' "$number" >&3
    take_hidden &
  fi
  # Until the shim has read the second part, the next bytes are not the beginning of an order.
  until ((hidden_length == 0)) || IFS= read -rN 1 -t 1 -u "$handoff" _; do
    kill -0 "$!" || exit
  done
done
