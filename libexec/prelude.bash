# Runs before the first line of every bash job: sets strict mode, reports a failure in one line with its place, and
# defines the arguments as variables and the helpers as functions. Bash reads it because of BASH_ENV, which is unset
# here, so that a bash started by the script is an ordinary one.
unset BASH_ENV

_flwd_failed() {
  # In a subshell, or with errexit switched off, a failure does not end the script.
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
