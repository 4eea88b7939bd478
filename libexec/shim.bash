# The shim: runs one attempt apart from the server that asked for it, so a run outlives a crash or an upgrade (ADR 0003). It is a
# fork of the fork server that goes on by itself, with builtins only, since every run pays for what is started here.

# Reads the part of the order that the fork server must not: every later shim would be a fork of it.
take_hidden() {
  hidden=
  ((hidden_length == 0)) || IFS= read -rN "$hidden_length" hidden || exit
  ((hidden_length == 0)) || printf . >&"$handoff"
}

# usage: attend &    order, and after it in fd 0: what src/exec/proc/shim.ts has written: it sets `attempt_dir`, `is_guarded`, `has_tmp`,
# `workspace`, `bwrap` and `command`, and opens what they need; without a sandbox `workspace` says where the script starts, and
# `program` what the job starts
# number: which order it is    fd 3: where `ended NUMBER` is told    fd 4: a pipe for the script's stderr, opened both ways
# fd 9: another, at which bwrap waits    ATTEMPT_DIR/sandbox: bwrap's options
# It writes to ATTEMPT_DIR/status, one JSON object a line: who it is, then what bwrap says on fd 3, then how bwrap ended.
# A redirection that fails is no end to bash, as it is to other shells: the script must not run with half of them.
attend() {
  take_hidden
  set +m
  exec 5>&3 </dev/null 2>/dev/null {handoff}>&- 10<>"$pipes/idle" || exit
  # The very last thing, and at every end but SIGKILL's: all output is in the spool.
  trap 'echo "ended $number" >&5; ((must_stay == 0)) || read -rN 1 -t 10 -u 9' EXIT
  eval "$order"
  eval "$hidden"
  unset order hidden

  local stat shim=$BASHPID held= must_stay=0
  # The 22nd field of /proc/PID/stat is the start time, in clock ticks since boot; these are those from the third on.
  IFS= read -r stat </proc/self/stat || exit
  stat=(${stat##*) })
  # This fails where the file exists: the attempt was given up before it began (src/exec/proc/shim-status.ts).
  set -C
  exec 3>"$attempt_dir/status" || exit
  set +C
  # Nobody but root can open it for writing again: a script that writes to /dev/stdout would cut it short.
  umask 377
  exec >>"$attempt_dir/spool" || exit
  umask 022
  # Without this line nobody could end what follows. Once it is written, its disk block has room for the few to come.
  printf '{"pid":%s,"start_ticks":%s,"boot_id":"%s"}\n' "$shim" "${stat[19]}" "$boot_id" >&3 || exit

  exec 6>&1 7</proc/self/fd/4 || exit
  ((is_guarded || has_tmp)) || exec 9>&-
  if ((is_guarded)); then
    # Open both ways it has no end, at which bwrap would go on, should `guard` be killed.
    exec 9< <(guard) && exec 9<>/proc/self/fd/9 || exit
  fi
  enter | { ((has_tmp == 0)) || hold_tmp; mark_stderr; } <&7
  printf '{"exit":%s}\n' "${PIPESTATUS[0]}" >&3
  [[ $held == '' ]] || show_tmp
}

# Becomes bwrap, in the cgroups that hold the script to its limits, if there are any: the shim stays outside, since the kernel may end
# what is in them. Where the host itself runs out of memory, a script ends and not the server.
enter() {
  local door
  echo 1000 >/proc/self/oom_score_adj
  if [[ -e $attempt_dir/cgroups ]]; then
    while IFS= read -r door; do
      echo 0 >"$door" || exit
    done <"$attempt_dir/cgroups"
  fi
  ((may_dump == 0)) || ulimit -Sc "$core_limit"
  [[ $workspace == '' ]] || run_script
  # In words that no variable of the job's can change.
  set -- "$attempt_dir" "$bwrap" --json-status-fd 3 --args 10 -- "${command[@]}"
  unset command stat
  export_hidden
  # Its name tells whose it is (src/exec/proc/process-table.ts).
  exec -a "$1/bwrap" "${@:2}" 10<"$1/sandbox" >&6 2>/proc/self/fd/4 4>&- 5>&- 6>&- 7<&-
}

# Opens the sandbox's own /tmp before the script starts: it stays what it is for as long as it is open, so that the server can see
# what was left there. Where it cannot be opened the script starts all the same.
hold_tmp() {
  local status child= tries pause=0.002
  for ((tries = 0; tries < 200; tries++)); do
    # Nothing comes from it: read waits without another process.
    read -rt "$pause" -u 10
    pause=0.0005
    if [[ $child == '' ]]; then
      IFS= read -rd '' status <"$attempt_dir/status"
      [[ $status =~ '"child-pid": '([0-9]+) ]] || continue
      child=${BASH_REMATCH[1]}
    fi
    # Only a sandbox that is complete has this there.
    if [[ /proc/$child/root/run/flwd/in -ef $attempt_dir/in ]]; then
      exec {held}<"/proc/$child/root/tmp"
      break
    fi
    [[ -d /proc/$child ]] || break
  done
  ((is_guarded)) || printf . >&9
}

# Lets the server look at what was left in /tmp, if anything was: it writes to fd 9 when it has. Without a server nobody looks. The limit
# is for millions of names.
show_tmp() {
  local left
  shopt -s dotglob nullglob
  ulimit -Sv 524288
  left=("/proc/self/fd/$held"/*)
  ((${#left[@]} > 0)) || return
  must_stay=1
  printf '{"tmp_fd":%s}\n' "$held" >&3
}

# Without a sandbox (ADR 0031): runs the script in a process group of its own, ends what is left of the group, and exits as it did.
run_script() {
  cd "$workspace" || exit
  set -m
  become_script "$program" "${command[@]}" &
  set +m
  wait "$!"
  set -- "$?" "$!"
  kill -KILL -- "-$2"
  # The server may be gone for long.
  rm -rf -- "$attempt_dir/secrets"
  printf '{"exit-code":%s}\n' "$1" >&3
  exit "$1"
}

# usage: become_script PROGRAM COMMAND ARGUMENT…    PROGRAM: the job's own, which COMMAND may only start
become_script() {
  local stat line=
  IFS= read -r stat </proc/self/stat || exit
  stat=(${stat##*) })
  printf '{"script":%s,"start_ticks":%s}\n' "$BASHPID" "${stat[19]}" >&3 || exit
  [[ $1 != */* ]] || IFS= read -rn 256 line <"$1"
  [[ $line =~ ^'#!'[[:blank:]]*([^[:blank:]]+) ]]
  # In words that no variable of the job's can change.
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

# Of an order with variables that must be in no file.
export_hidden() { :; }

# Marks the script's stderr on its way into the spool, up to its end. Most scripts write little there: only one that writes much pays
# for sed. A shell reads byte by byte, so a long line is the last that it takes: with its mark, what fits into one write.
mark_stderr() {
  local line lines
  # Both ways open it has no end.
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

# stdbuf lets sed read blocks and still write each line at once; `sed -u` reads byte by byte. The limit keeps a line without an end from
# eating the host's memory: what did not fit is left out, and the rest goes on.
mark_by_sed() {
  local sed=(sed -u)
  ! command -v stdbuf >/dev/null || sed=(stdbuf -oL sed)
  until (ulimit -Sv 262144 && LC_ALL=C exec "${sed[@]}" $'s/^/\036E/'); do
    if (($? > 125)); then
      # Without a reader the script would wait for ever.
      cat >/dev/null
      return
    fi
    printf '\036wa line of stderr that did not fit into memory was left out\n'
  done
}

# Lets bwrap start the script once the server has found each grant in its place (ADR 0020): by a byte to stdout, which bwrap waits
# for. Where one is not, bwrap is ended. ATTEMPT_DIR/verdict: `right`, or the pid of bwrap's child
guard() {
  local verdict status fields
  # The shim waits for the end of the one, the server for that of the other.
  exec 4>&- 5>&-
  # Nothing comes from it: read waits without another process.
  exec {idle}<>/proc/self/fd/1
  until IFS= read -r verdict <"$attempt_dir/verdict"; do
    IFS= read -rd '' status <"$attempt_dir/status"
    [[ -d /proc/$shim && $status != *'"exit"'* ]] || return
    # The server has ended, and nobody will look. While bwrap waits, it is in the shim's group.
    [[ -d /proc/$PPID ]] || kill -KILL -- "-$shim"
    read -rt 0.002 -u "$idle"
  done
  if [[ $verdict == right ]]; then
    printf .
    return
  fi
  printf '\036Ebwrap: Race condition: a grant is not in its place\n' >&6
  IFS= read -r fields <"/proc/$verdict/stat"
  fields=(${fields##*) })
  kill -KILL "${fields[1]}" "$verdict"
}
