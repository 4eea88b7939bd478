# flwd_kv_get, flwd_kv_set and flwd_kv_delete: asks the server for a value of the key-value store, through files in the
# folder that the run shares with the server (src/exec/kv). Works without network and sockets, in every profile.
# usage: kv.bash get|set|delete WORD…

# How many seconds a restart of the server may take.
patience=300

usage() {
  case $kind in
    get) words='flwd_kv_get [--namespace NAMESPACE] [--version] KEY [DEFAULT]' ;;
    set) words='flwd_kv_set [--namespace NAMESPACE] [--ttl TIME] [--if-version N] KEY VALUE; VALUE is - to read it from standard input' ;;
    delete) words='flwd_kv_delete [--namespace NAMESPACE] KEY' ;;
  esac
  printf 'usage: %s\n' "$words" >&2
  exit 2
}

fail() {
  printf 'flwd_kv_%s: %s\n' "$kind" "$1" >&2
  exit 1
}

kind=${1-} namespace= ttl= if_version= shows_version=
shift
while [[ ${1-} == --?* ]]; do
  option=$kind$1
  case $option in
    get--version) shows_version=1 ;;
    *--namespace=* | set--ttl=* | set--if-version=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
    *--namespace | set--ttl | set--if-version)
      (($# > 1)) || usage
      case $1 in
        --namespace) namespace=$2 ;;
        --ttl) ttl=$2 ;;
        --if-version) if_version=$2 ;;
      esac
      shift
      ;;
    *) usage ;;
  esac
  shift
done
[[ ${1-} != -- ]] || shift
case $kind$# in
  get1 | get2 | set2 | delete1) ;;
  *) usage ;;
esac
key=$1
case $namespace$key$ttl$if_version in
  *$'\n'*) fail 'a key, a namespace or an option must not contain a newline' ;;
esac

folder=${FLWD_OUTPUT_FILE:-/run/flwd/out/output}
file=${folder%/*}/kv-$$-$RANDOM-${EPOCHREALTIME//[!0-9]/}
[[ -d ${folder%/*} ]] || fail 'this is not a run of flwd'
withdraw() { rm -f -- "$file".{request,value,answer}; }
trap 'withdraw; exit 143' TERM
trap 'withdraw; exit 130' INT

if [[ $kind == set ]]; then
  if [[ $2 == - ]]; then cat; else printf %s "$2"; fi >"$file.value" || fail 'the value could not be written'
fi
printf '%s\n' "$kind" "$namespace" "$key" "$if_version" "$ttl" end >"$file.request" || fail 'the request could not be written'

# Nothing is ever written to it: `read` serves as a sleep without another process.
exec {idle}<> <(:)
for pause in 0.001 0.001 0.002 0.002 0.002 0.005 0.005 0.005 0.01 0.01 0.02 0.05; do
  read -rt "$pause" -u "$idle"
  [[ ! -e $file.answer ]] || break
done
until [[ -e $file.answer ]]; do
  if ((SECONDS > patience)); then
    withdraw
    case $kind in
      get) fail "the server has not answered for $patience seconds" ;;
      *) fail "the server has not answered for $patience seconds; it is unknown whether the change was made" ;;
    esac
  fi
  read -rt 0.05 -u "$idle"
done

exec <"$file.answer" && rm -f -- "$file.answer"
IFS=' ' read -r how rest
case $how$kind$shows_version in
  doneget) exec cat ;;
  doneget1) printf '%s\n' "$rest" ;;
  done*) ;;
  missing*)
    # Prints nothing, because scripts handle it: `flwd_kv_get KEY || …`. A run that fails for it has a hint.
    (($# == 2)) || exit 1
    printf %s "$2"
    ;;
  *) fail "$rest" ;;
esac
