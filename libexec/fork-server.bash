# Starts the shims: for each of them this small process is forked, and not the server, which is a hundred times its size and
# would stand still meanwhile (ADR 0008).
# usage: fork-server.bash PIPES_DIR FILTER    fd 0: orders of the server's own making, each behind its length in eight digits
# fd 3: `refused N` for the Nth order when there is no pipe for it; `ended N`, which its shim writes (libexec/shim.bash)

# Each shim leads a process group, which is how it is ended.
set -m
# What is last in a pipeline runs in the shim itself.
shopt -s lastpipe
# Not exported: lengths are bytes here, whatever the job's language is.
LC_ALL=C
unset PWD OLDPWD SHLVL

# The file of the seccomp filter, for the orders.
filter=$2
pipes=$1 spare=0 number=0
IFS= read -r boot_id </proc/sys/kernel/random/boot_id
source "${BASH_SOURCE[0]%/*}/shim.bash"

# Opens a pipe for a script's stderr as fd 4. A script may open /dev/stderr anew, as another user than the server's, which an
# ordinary pipe refuses; these are open to all, in a folder that is not. One mkfifo makes many: it costs as much as a shim.
take_pipe() {
  if ((spare == 0)); then
    rm -f "$pipes"/* && mkfifo -m 666 "$pipes"/{1..32} || return
    spare=32
  fi
  exec 4<>"$pipes/$spare" && spare=$((spare - 1))
}

while IFS= read -rN 8 length && IFS= read -rN "$((10#$length))" order; do
  number=$((number + 1))
  if take_pipe; then
    attend &
    exec 4>&-
  else
    printf 'refused %s\n' "$number" >&3
  fi
done
