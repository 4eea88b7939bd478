#compdef flwd
# Completion for zsh: eval "$(flwd completion zsh)", or this file as _flwd in a folder of $fpath.

_flwd() {
  emulate -L zsh
  setopt extendedglob
  local line value about files= shown match mbegin mend
  local -a values shownValues partValues partShown before
  before=("${(@Q)words[2,CURRENT-1]}")
  local current=${(Q)PREFIX}
  while IFS= read -r line; do
    case $line in
      '{"files":"'*) files=${${line#*:\"}%\"\}} ;;
      '{"value":"'*)
        value=${${line#\{\"value\":\"}%%\",\"about\":\"*}
        about=${${line#*\",\"about\":\"}%\"\}}
        value=${value//(#b)\\(?)/$match[1]}
        about=${about//(#b)\\(?)/$match[1]}
        shown=$value
        [[ -n $about ]] && shown="$value  -- $about"
        if [[ $value == *[/=] ]]; then
          partValues+=("$value")
          partShown+=("$shown")
        else
          values+=("$value")
          shownValues+=("$shown")
        fi
        ;;
    esac
  done < <("${(Q)words[1]/#\~/$HOME}" __complete $((CURRENT - 2)) "${before[@]}" "$current" 2>/dev/null)

  local found=1
  (( $#values )) && compadd -l -d shownValues -- "${values[@]}" && found=0
  (( $#partValues )) && compadd -l -S '' -d partShown -- "${partValues[@]}" && found=0
  if [[ -n $files ]]; then
    compset -P '--[^=]#='
    if [[ $files == dir ]]; then _files -/ && found=0; else _files && found=0; fi
  fi
  return $found
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _flwd "$@"
else
  if ! (( $+functions[compdef] )); then autoload -Uz compinit && compinit; fi
  compdef _flwd flwd
fi
