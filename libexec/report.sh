# The functions through which a script reports to flwd. The prelude of bash jobs and the programs in bin/ source this
# file, so both behave the same. Works in any POSIX shell with `local`, with any options and IFS that the script has
# set.

# flwd_log LEVEL MESSAGE…: writes lines to the run's log
flwd_log() {
  local IFS=' ' mark rest newline='
'
  case ${1-} in
    trace) mark=t ;;
    debug) mark=d ;;
    info) mark=i ;;
    warn | warning) mark=w ;;
    error) mark=e ;;
    fatal) mark=f ;;
    *) _flwd_misused 'flwd_log LEVEL MESSAGE…; LEVEL is trace, debug, info, warn, error or fatal' || return ;;
  esac
  shift
  rest="$*"
  while [ "$rest" != "${rest#*"$newline"}" ]; do
    printf '\036%s%s\n' "$mark" "${rest%%"$newline"*}"
    rest=${rest#*"$newline"}
  done
  printf '\036%s%s\n' "$mark" "$rest"
}

# flwd_progress PERCENT [TEXT…]
flwd_progress() {
  local IFS=' ' percent="${1-}" rest text='' newline='
'
  case $percent in
    100 | [0-9] | [1-9][0-9]) ;;
    [0-9].[0-9]* | [1-9][0-9].[0-9]*) ;;
    *) percent='' ;;
  esac
  case $percent in
    '' | *[!0-9.]* | *.*.*)
      _flwd_misused 'flwd_progress PERCENT [TEXT…]; PERCENT is a number from 0 to 100' || return
      ;;
  esac
  shift
  rest="$*"
  while [ "$rest" != "${rest#*"$newline"}" ]; do
    text="$text${rest%%"$newline"*} "
    rest=${rest#*"$newline"}
  done
  printf '\036P%s %s\n' "$percent" "$text$rest"
}

# flwd_result JSON, or flwd_result - to read it from standard input
flwd_result() {
  [ $# -eq 1 ] || _flwd_misused 'flwd_result JSON, or flwd_result - to read it from standard input' || return
  if [ "$1" = - ]; then
    cat >|"${FLWD_RESULT_FILE:-/run/flwd/out/result.json}"
  else
    printf '%s\n' "$1" >|"${FLWD_RESULT_FILE:-/run/flwd/out/result.json}"
  fi
}

# flwd_output KEY VALUE, or KEY=VALUE, or only KEY to read the value from standard input, without its last newlines
flwd_output() {
  local key="${1-}" value delimiter=FLWD_EOF newline='
'
  case $#$key in
    1*=*) value=${key#*=} key=${key%%=*} ;;
    1*) value=$(cat) ;;
    2*) value=$2 ;;
    *) key='' ;;
  esac
  case $key in
    '' | [!A-Za-z_]* | *[!A-Za-z0-9_-]*)
      _flwd_misused 'flwd_output KEY VALUE; KEY is made of letters, digits, `_` and `-`, and begins with a letter or `_`' || return
      ;;
  esac
  case $value in
    *"$newline"*)
      # The end marker must not be a line of the value.
      while [ "$value" != "${value#*"$delimiter"}" ]; do delimiter=${delimiter}_; done
      printf '%s<<%s\n%s\n%s\n' "$key" "$delimiter" "$value" "$delimiter" >>"${FLWD_OUTPUT_FILE:-/run/flwd/out/output}"
      ;;
    *) printf '%s=%s\n' "$key" "$value" >>"${FLWD_OUTPUT_FILE:-/run/flwd/out/output}" ;;
  esac
}

# flwd_artifact PATH [--name NAME] [--type MEDIA_TYPE]: keeps a file with the run
flwd_artifact() {
  local args="${FLWD_ARGS_FILE:-/run/flwd/in/args.json}" path='' name=null media_type=null usage='flwd_artifact PATH [--name NAME] [--type MEDIA_TYPE]'
  while [ $# -gt 0 ]; do
    case $1 in
      --name=*) name=$(_flwd_json "${1#*=}") ;;
      --type=*) media_type=$(_flwd_json "${1#*=}") ;;
      --name | --type)
        [ $# -gt 1 ] || _flwd_misused "$usage" || return
        case $1 in
          --name) name=$(_flwd_json "$2") ;;
          --type) media_type=$(_flwd_json "$2") ;;
        esac
        shift
        ;;
      -*) _flwd_misused "$usage" || return ;;
      *)
        [ -z "$path" ] || _flwd_misused "$usage" || return
        path=$1
        ;;
    esac
    shift
  done
  case $path in
    '') _flwd_misused "$usage" || return ;;
    /*) ;;
    *) path=$(pwd)/$path ;;
  esac
  if [ ! -e "$path" ]; then
    printf 'flwd_artifact: there is no %s\n' "$path" >&2
    return 1
  fi
  printf '{"path":%s,"name":%s,"media_type":%s}\n' "$(_flwd_json "$path")" "$name" "$media_type" \
    >>"${args%/in/*}/out/artifacts"
}

_flwd_misused() {
  printf 'usage: %s\n' "$1" >&2
  return 2
}

# Writes a text as JSON. Goes byte by byte only if something must be escaped.
_flwd_json() {
  local rest="$1" done='' character
  case $rest in
    *[\"\\[:cntrl:]]*)
      while [ -n "$rest" ]; do
        character=${rest%"${rest#?}"}
        rest=${rest#?}
        case $character in
          \" | \\) done="$done\\$character" ;;
          [[:cntrl:]]) done=$done$(printf '\\u%04x' "'$character") ;;
          *) done=$done$character ;;
        esac
      done
      ;;
    *) done=$rest ;;
  esac
  printf '"%s"' "$done"
}
