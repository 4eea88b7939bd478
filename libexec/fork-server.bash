# Starts the shims: for each of them this small process is forked, and not the server, which is a hundred times its size and
# would stand still meanwhile (ADR 0008).
# usage: fork-server.bash PIPES_DIR FILTER    fd 0: orders of the server's own making, each behind the lengths of its two parts in
# eight digits each; the second part is for the shim alone to read, which tells by `handoff` when it has
# fd 3: `refused N` for the Nth order when there is no pipe for it; `ended N`, which its shim writes (libexec/shim.bash)

# Each shim leads a process group, which is how it is ended.
set -m
# What is last in a pipeline runs in the shim itself.
shopt -s lastpipe
# Not exported: lengths are bytes here, whatever the job's language is.
LC_ALL=C
unset PWD OLDPWD SHLVL
# A shim has secrets in memory.
core_limit=$(ulimit -Sc)
ulimit -Sc 0

# The file of the seccomp filter, for the orders.
filter=$2
pipes=$1 spare=0 number=0
IFS= read -r boot_id </proc/sys/kernel/random/boot_id || exit
mkfifo "$pipes"/{handoff,idle} && exec {handoff}<>"$pipes/handoff" || exit
source "${BASH_SOURCE[0]%/*}/shim.bash"

# Opens a pipe for a script's stderr as fd 4, and as fd 9 one by which the shim lets bwrap go on. A script may open /dev/stderr anew, as another user than the server's, which an
# ordinary pipe refuses; these are open to all, in a folder that is not. One mkfifo makes many: it costs as much as a shim.
take_pipe() {
  if ((spare == 0)); then
    rm -f "$pipes"/[0-9]* && mkfifo -m 666 "$pipes"/{1..64} || return
    spare=64
  fi
  exec 4<>"$pipes/$spare" 9<>"$pipes/$((spare - 1))" && spare=$((spare - 2))
}

while IFS= read -rN 16 lengths && IFS= read -rN "$((10#${lengths:0:8}))" order; do
  number=$((number + 1)) hidden_length=$((10#${lengths:8}))
  if take_pipe; then
    attend &
    exec 4>&- 9>&-
  else
    printf 'refused %s\n' "$number" >&3
    take_hidden &
  fi
  # Before that the orders go on in the middle of one.
  until ((hidden_length == 0)) || IFS= read -rN 1 -t 1 -u "$handoff" _; do
    kill -0 "$!" || exit
  done
done
