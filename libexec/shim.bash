# The shim runs one attempt independently of the server that asked for it, so a run survives a crash or an upgrade of
# the server (ADR 0003). It is a fork of the fork server and uses only builtins, because every run pays for a process
# here.

# Reads the second part of the order. The fork server must not read it, because every later shim is a fork of it.
take_hidden() {
  hidden=
  ((hidden_length == 0)) || IFS= read -rN "$hidden_length" hidden || exit
  ((hidden_length == 0)) || printf . >&"$handoff"
}

# usage: run_attempt &
# order, and its second part in fd 0: written by src/exec/proc/shim.ts. It sets `attempt_dir`, `is_guarded`, `has_tmp`,
#   `workspace`, `bwrap` and `command`, and opens the descriptors they need. Without a sandbox, `workspace` is the
#   folder in which the script starts, and `program` is what the job starts.
# number: the number of the order
# fd 3: gets `ended NUMBER`
# fd 4: a pipe for the script's stderr, opened for reading and writing
# fd 9: another pipe, at which bwrap waits
# ATTEMPT_DIR/sandbox: bwrap's options
# Writes one JSON object per line to ATTEMPT_DIR/status: its identity, then the pid of bwrap, then what bwrap writes to
# fd 3, then how bwrap ended.
# Unlike other shells, bash continues after a failed redirection, hence `|| exit`: the script must not run with half of
# them.
run_attempt() {
  take_hidden
  set +m
  exec 5>&3 </dev/null 2>/dev/null {handoff}>&- 10<>"$pipes/idle" || exit
  # The last act, at every end except SIGKILL: by then all output is in the spool.
  trap 'echo "ended $number" >&5; ((must_stay == 0)) || read -rN 1 -t 10 -u 9' EXIT
  eval "$order"
  eval "$hidden"
  unset order hidden

  local stat shim=$BASHPID held= must_stay=0
  # Field 22 of /proc/PID/stat is the start time in clock ticks since the boot. The array begins with field 3.
  IFS= read -r stat </proc/self/stat || exit
  stat=(${stat##*) })
  # Fails when the file exists: then the attempt was given up before it began (src/exec/proc/shim-status.ts).
  set -C
  exec 3>"$attempt_dir/status" || exit
  set +C
  # Only root can open it for writing again: a script that opens /dev/stdout would truncate it.
  umask 377
  exec >>"$attempt_dir/spool" || exit
  umask 022
  # Without this line nobody could end what follows. Its disk block also has room for the few lines to come.
  printf '{"pid":%s,"start_ticks":%s,"boot_id":"%s"}\n' "$shim" "${stat[19]}" "$boot_id" >&3 || exit

  exec 6>&1 7</proc/self/fd/4 || exit
  ((is_guarded || has_tmp)) || exec 9>&-
  if ((is_guarded)); then
    # Opened for reading and writing the pipe never ends. Its end would let bwrap continue if `guard` were killed.
    exec 9< <(guard) && exec 9<>/proc/self/fd/9 || exit
  fi
  enter | { ((has_tmp == 0)) || hold_tmp; mark_stderr <&7; }
  printf '{"exit":%s}\n' "${PIPESTATUS[0]}" >&3
  [[ $held == '' ]] || show_tmp
}

# Becomes bwrap, inside the cgroups that limit the script, if there are any. The shim stays outside, because the kernel
# may end the processes in them. When the host itself runs out of memory, the kernel ends a script and not the server.
enter() {
  local procs
  ((has_tmp == 0)) || echo "$BASHPID"
  echo 1000 >/proc/self/oom_score_adj
  if [[ -e $attempt_dir/cgroups ]]; then
    while IFS= read -r procs; do
      echo 0 >"$procs" || exit
    done <"$attempt_dir/cgroups"
  fi
  ((may_dump == 0)) || ulimit -Sc "$core_limit"
  [[ $workspace == '' ]] || run_script
  printf '{"bwrap":%s}\n' "$BASHPID" >&3 || exit
  # Positional parameters, which no variable of the job can change.
  set -- "$attempt_dir" "$bwrap" --json-status-fd 3 --args 10 -- "${command[@]}"
  unset command stat
  export_hidden
  # Its name identifies the attempt (src/exec/proc/process-table.ts).
  exec -a "$1/bwrap" "${@:2}" 10<"$1/sandbox" >&6 2>/proc/self/fd/4 4>&- 5>&- 6>&- 7<&-
}

# Opens the sandbox's own /tmp before the script starts. It exists as long as it is open, so that the server can see
# what was left there. If it cannot be opened, the script starts anyway: soon where the kernel shows no sandbox to this
# user, and after some seconds where bwrap is that slow.
# fd 0: the pid of bwrap
hold_tmp() {
  local pid status child= tries shut=0 pause=0.002
  IFS= read -r pid || return
  for ((tries = 0; tries < 10000 && shut < 200; tries++)); do
    # Nothing is ever written to it: `read` serves as a sleep without another process.
    read -rt "$pause" -u 10
    pause=0.0005
    if [[ $child == '' ]]; then
      IFS= read -rd '' status <"$attempt_dir/status"
      if [[ ! $status =~ '"child-pid": '([0-9]+) ]]; then
        [[ -d /proc/$pid ]] || break
        continue
      fi
      child=${BASH_REMATCH[1]}
    fi
    # Only a complete sandbox has this file.
    if [[ /proc/$child/root/run/flwd/in -ef $attempt_dir/in ]]; then
      exec {held}<"/proc/$child/root/tmp"
      break
    fi
    [[ -d /proc/$child ]] || break
    [[ -e /proc/$child/root ]] || ((++shut))
  done
  ((is_guarded)) || printf . >&9
}

# Lets the server look at the files left in /tmp, if there are any. The server writes to fd 9 when it has looked.
# Without a server nobody looks. The memory limit guards against millions of names.
show_tmp() {
  local left
  shopt -s dotglob nullglob
  ulimit -Sv 524288
  left=("/proc/self/fd/$held"/*)
  ((${#left[@]} > 0)) || return
  must_stay=1
  printf '{"tmp_fd":%s}\n' "$held" >&3
}

# Without a sandbox (ADR 0031): runs the script in its own process group, ends the rest of the group, and exits as it
# did.
run_script() {
  cd "$workspace" || exit
  set -m
  become_script "$program" "${command[@]}" &
  set +m
  wait "$!"
  set -- "$?" "$!"
  kill -KILL -- "-$2"
  # Not left to the server, which may be down for long.
  rm -rf -- "$attempt_dir/secrets"
  printf '{"exit-code":%s}\n' "$1" >&3
  exit "$1"
}

# usage: become_script PROGRAM COMMAND ARGUMENT…    PROGRAM: the job's own program; COMMAND may be a wrapper of it
become_script() {
  local stat line=
  IFS= read -r stat </proc/self/stat || exit
  stat=(${stat##*) })
  printf '{"script":%s,"start_ticks":%s}\n' "$BASHPID" "${stat[19]}" >&3 || exit
  [[ $1 != */* ]] || IFS= read -rn 256 line <"$1"
  [[ $line =~ ^'#!'[[:blank:]]*([^[:blank:]]+) ]]
  # Positional parameters, which no variable of the job can change.
  set -- "${BASH_REMATCH[1]-}" "$@"
  unset command stat line program
  export PWD
  export_hidden
  if [[ $2 == */* && ! -e $2 ]] || { [[ $2 != */* ]] && ! hash -- "$2"; }; then
    printf '{"unstartable":"missing"}\n' >&3
    exit 127
  elif [[ $2 == */* && ! -x $2 ]]; then
    printf '{"unstartable":"forbidden"}\n' >&3
    exit 126
  elif [[ $1 != '' && ! -e $1 ]]; then
    printf '{"unstartable":"no-interpreter"}\n' >&3
    exit 127
  fi
  shift 2
  exec "$@" >&6 2>/proc/self/fd/4 3>&- 4>&- 5>&- 6>&- 7<&- 10>&-
}

# An order with variables that must not be in any file replaces it.
export_hidden() { :; }

# Marks the lines of the script's stderr on their way into the spool. Most scripts write little to it, and only one that
# writes much pays for sed. A shell reads byte by byte, so sed takes over at the first long line: one that, with its
# mark, does not fit into a single write.
mark_stderr() {
  local line lines
  # While it is open for writing, reading never ends.
  exec 4>&-
  for ((lines = 0; lines < 100; lines++)); do
    if ! IFS= read -rn 4090 line; then
      [[ $line == '' ]] || printf '\036E%s\n' "$line"
      return
    fi
    if ((${#line} == 4090)); then
      { printf %s "$line" && exec cat; } 6>&- 7<&- | mark_by_sed
      return
    fi
    printf '\036E%s\n' "$line"
  done
  mark_by_sed
}

# stdbuf lets sed read blocks and still write each line at once; `sed -u` reads byte by byte. The limit keeps an endless
# line from using up the host's memory: the part that does not fit is left out, and the rest continues.
mark_by_sed() {
  local sed=(sed -u)
  ! command -v stdbuf >/dev/null || sed=(stdbuf -oL sed)
  until (ulimit -Sv 262144 && LC_ALL=C exec "${sed[@]}" $'s/^/\036E/'); do
    if (($? > 125)); then
      # Without a reader the script would wait forever.
      cat >/dev/null
      return
    fi
    printf '\036wa line of stderr that did not fit into memory was left out\n'
  done
}

# Lets bwrap start the script once the server has found each grant at its place (ADR 0020), by writing the byte to
# stdout that bwrap waits for. If a grant is not at its place, ends bwrap.
# ATTEMPT_DIR/verdict: `right`, or the pid of bwrap's child
guard() {
  local verdict status
  # The shim waits for the end of fd 4, the server for the end of fd 5.
  exec 4>&- 5>&-
  # Nothing is ever written to it: `read` serves as a sleep without another process.
  exec {idle}<>/proc/self/fd/1
  until IFS= read -r verdict <"$attempt_dir/verdict"; do
    IFS= read -rd '' status <"$attempt_dir/status"
    [[ -d /proc/$shim && $status != *'"exit"'* ]] || return
    # The server has ended, so there will be no verdict. While bwrap waits, it is in the shim's group.
    [[ -d /proc/$PPID ]] || kill -KILL -- "-$shim"
    read -rt 0.002 -u "$idle"
  done
  if [[ $verdict == right ]]; then
    printf .
    return
  fi
  printf '\036Ebwrap: Race condition: a grant is not in its place\n' >&6
  # Its parent ends with it. The parent is not bwrap if something has killed bwrap.
  kill -KILL "$verdict"
}
