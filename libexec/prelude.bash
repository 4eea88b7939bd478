# What comes before the first line of every bash job: strict mode, one error line that says where, the arguments as
# variables, the helpers as functions. Bash reads it by BASH_ENV, which stops here: a bash that the script starts is plain.
unset BASH_ENV

_flwd_failed() {
  # In a subshell, and where the script switched errexit off, a failure is not the script's end.
  [[ $- == *e* && $BASH_SUBSHELL == 0 ]] || return 0
  local status=$1 parts=$2 file=${BASH_SOURCE[1]-} line=${BASH_LINENO[0]} command=${BASH_COMMAND%%$'\n'*}
  [[ $command == "$BASH_COMMAND" ]] || command+=' …'
  (( parts < 2 )) || command="a pipeline that ends with $command"
  printf '%s:%s: failed with status %s: %s\n' "${file#"${FLWD_JOB_DIR-/job}"/}" "$line" "$status" "$command" >&2
}

source "${BASH_SOURCE[0]%/*}/report.sh"
source "${FLWD_ARGS_FILE%/*}/args.bash"

set -Eeuo pipefail
IFS=$'\n\t'
trap '_flwd_failed $? ${#PIPESTATUS[@]}' ERR
