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

# Lets bwrap start the script once each place is a mount point in the sandbox, and was none on the host: by a byte to stdout, which
# bwrap waits for. A link put above a place while bwrap mounts there leads the mount elsewhere, past what bwrap itself looks at
# (ADR 0020); then bwrap is ended.
# usage: guard ATTEMPT_DIR SHIM_PID PLACE…    places as in proc_pid_mountinfo(5)
guard() {
  local status child mounts fields place dir=$1 shim=$2 at=$'(^|\n)([^ ]+ ){4}'
  shift 2
  # Nothing comes from it: read waits without another process.
  exec {idle}<>/proc/self/fd/1
  while [[ -d /proc/$shim ]]; do
    IFS= read -rd '' status <"$dir/status"
    [[ $status == *'"exit"'* ]] && return
    if [[ $status =~ '"child-pid": '([0-9]+) ]]; then
      child=${BASH_REMATCH[1]}
      IFS= read -rd '' mounts <"/proc/$child/mountinfo"
      # Before bwrap has entered its new root the host's mounts are there, then both.
      [[ $mounts =~ $at/(newroot|oldroot) || ! $mounts =~ $at/run/flwd/in' ' ]] || break
    fi
    read -rt 0.002 -u "$idle"
  done
  for place; do
    (($(mounts_at "$child" "$place") > $(mounts_at self "$place"))) && continue
    printf 'bwrap: Race condition: a grant is not in its place\n' >&4
    IFS= read -r fields <"/proc/$child/stat"
    fields=(${fields##*) })
    kill -KILL "${fields[1]}" "$child"
    return
  done
  printf .
}

mounts_at() {
  local at count=0
  while read -r _ _ _ _ at _; do
    [[ $at != "$2" ]] || count=$((count + 1))
  done <"/proc/$1/mountinfo"
  printf %s "$count"
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
