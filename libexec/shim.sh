#!/bin/sh
# Runs one attempt apart from the server that started it, so a run outlives a crash or an upgrade (ADR 0003).
# usage: shim.sh NUMBER ATTEMPT_DIR BWRAP ARGUMENT…    fd 3: where `ended NUMBER` is told    fd 4: a pipe, opened both ways
# Writes to ATTEMPT_DIR/status, one JSON object a line: who it is, then what bwrap says on fd 3, then how bwrap ended.
# Builtins only, since every run pays for what is started here.
set -Cu
number=$1 attempt_dir=$2 bwrap=$3
shift 3
# The very last thing, and at every end but SIGKILL's: all output is in the spool.
trap 'echo "ended $number" >&5' EXIT
exec 5>&3 </dev/null 2>/dev/null
# Of the shell that started this one.
unset SHLVL

# The fields of /proc/PID/stat from the third on; the 22nd is the start time, in clock ticks since boot, the 23rd the size in bytes.
take_stat() {
  shift 19
  start_ticks=$1 size=$2
}

# Marks the first lines that the script writes to stderr; 0 when that is all. A shell reads byte by byte, so a long one is the last.
# A line that does not fit into memory ends this shell, dash by a crash at times.
mark_first_lines() {
  ulimit -c 0
  ulimit -Sv $((size / 1024 + 8192))
  lines=0
  while [ "$lines" -lt 100 ]; do
    if ! IFS= read -r line; then
      [ -z "$line" ] || printf '\036E%s' "$line"
      return 0
    fi
    printf '\036E%s\n' "$line"
    lines=$((lines + 1))
    [ ${#line} -lt 4096 ] || break
  done
  return 3
}

left_out() {
  printf '\036wa line of stderr that did not fit into memory was left out\n'
}

# Marks the script's stderr on its way into the spool. Most scripts write little there: only one that writes much pays for
# sed. stdbuf lets sed read blocks and still write each line at once; `sed -u` reads byte by byte. The limits keep a line
# without an end from eating the host's memory: what did not fit is left out, and the rest goes on.
mark_stderr() {
  (mark_first_lines) && return
  [ $? -eq 3 ] || left_out
  line_by_line='sed -u'
  command -v stdbuf >/dev/null && line_by_line='stdbuf -oL sed'
  ulimit -Sv 262144
  until LC_ALL=C $line_by_line "s/^/$(printf '\036E')/"; do
    # Without a reader the script would wait for ever.
    [ $? -lt 126 ] || exec cat >/dev/null
    left_out
  done
}

IFS= read -r stat </proc/self/stat
IFS= read -r boot_id </proc/sys/kernel/random/boot_id
take_stat ${stat##*) }

# With `set -C` this fails where the file exists: the attempt was given up before it began (src/exec/shim-status.ts).
exec 3>"$attempt_dir/status"
set +C
# Nobody but root can open it for writing again: a script that writes to /dev/stdout would cut it short.
umask 377
exec >>"$attempt_dir/spool"
umask 022
# Without this line nobody could end what follows. Once it is written, its disk block has room for the few to come.
printf '{"pid":%s,"start_ticks":%s,"boot_id":"%s"}\n' "$$" "$start_ticks" "$boot_id" >&3 || exit

# Becomes bwrap, in the cgroups that hold the script to its limits, if there are any: this shell stays outside, since the kernel
# may end what is in them. Where the host itself runs out of memory, a script ends and not the server.
become_bwrap() {
  echo 1000 2>/dev/null >/proc/self/oom_score_adj
  if [ -e "$attempt_dir/cgroups" ]; then
    while IFS= read -r door; do
      echo 0 2>/dev/null >"$door" || exit
    done <"$attempt_dir/cgroups"
  fi
  exec "$bwrap" --json-status-fd 3 "$@"
}

(mark_stderr) </proc/self/fd/4 3>&- 4>&- 5>&- &
(become_bwrap "$@") 2>/proc/self/fd/4 4>&- 5>&-
printf '{"exit":%s}\n' "$?" >&3
exec 4>&-
wait
