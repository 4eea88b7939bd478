# Starts the shims: for each of them this small process is forked, and not the server, which is a hundred times its size and
# would stand still meanwhile (ADR 0008).
# usage: fork-server.bash PIPES_DIR FILTER    fd 0: commands of the server's own making, each behind its length in eight digits
# fd 3: `refused N` for the Nth command when there is no pipe for it; `ended N`, which its shim writes (libexec/shim.sh)

# Each shim leads a process group, which is how it is ended.
set -m
# Not exported: lengths are bytes here, whatever the job's language is.
LC_ALL=C
unset PWD OLDPWD SHLVL

# The file of the seccomp filter, for the commands.
filter=$2
pipes=$1 spare=0 number=0

# Opens a pipe for a script's stderr as fd 4. A script may open /dev/stderr anew, as another user than the server's, which an
# ordinary pipe refuses; these are open to all, in a folder that is not. One mkfifo makes many: it costs as much as a shim.
take_pipe() {
  if ((spare == 0)); then
    rm -f "$pipes"/* && mkfifo -m 666 "$pipes"/{1..32} || return
    spare=32
  fi
  exec 4<>"$pipes/$spare" && spare=$((spare - 1))
}

# Lets bwrap start the script once the server has found each grant in its place (ADR 0020): by a byte to stdout, which bwrap waits
# for. Where one is not, bwrap is ended.
# usage: guard ATTEMPT_DIR SHIM_PID    ATTEMPT_DIR/verdict: `right`, or the pid of bwrap's child
guard() {
  local verdict status fields
  # Nothing comes from it: read waits without another process.
  exec {idle}<>/proc/self/fd/1
  until IFS= read -r verdict <"$1/verdict"; do
    # This holds the pipe of stderr open, at whose end the shim waits.
    IFS= read -rd '' status <"$1/status"
    [[ -d /proc/$2 && $status != *'"exit"'* ]] || return
    # The server has ended, and nobody will look. While bwrap waits, it is in the shim's group.
    [[ -d /proc/$PPID ]] || kill -KILL -- "-$2"
    read -rt 0.002 -u "$idle"
  done
  if [[ $verdict == right ]]; then
    printf .
    return
  fi
  printf 'bwrap: Race condition: a grant is not in its place\n' >&4
  IFS= read -r fields <"/proc/$verdict/stat"
  fields=(${fields##*) })
  kill -KILL "${fields[1]}" "$verdict"
}

while IFS= read -rN 8 length && IFS= read -rN "$((10#$length))" command; do
  number=$((number + 1))
  if take_pipe; then
    eval "$command" &
    exec 4>&-
  else
    printf 'refused %s\n' "$number" >&3
  fi
done
