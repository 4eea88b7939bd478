# Completion for bash 4.4 or newer: eval "$(flwd completion bash)". Needs no other package.

_flwd() {
  COMPREPLY=()
  # Readline also splits words at = and :, which flwd's words contain. Here only blanks separate words.
  local rest=$COMP_LINE part at=-1 cursor=0 raw=
  local -a words=()
  for ((part = 0; part <= COMP_CWORD; part++)); do
    local trimmed=${rest#"${rest%%[![:blank:]]*}"}
    if [[ $at -lt 0 || $trimmed != "$rest" || ! ${COMP_WORDS[part]} ]]; then at=$((at + 1)); fi
    if ((part == COMP_CWORD)); then break; fi
    words[at]+=${COMP_WORDS[part]}
    rest=${trimmed#"${COMP_WORDS[part]}"}
  done
  cursor=$at
  # The part of the word before the cursor.
  local point=${COMP_LINE:0:COMP_POINT}
  local last=${COMP_WORDS[COMP_CWORD]} before=${words[cursor]-}
  while [[ $last && $point != *"$last" ]]; do last=${last%?}; done
  raw=$before$last
  local current=$raw
  case $current in \"* | \'*) current=${current:1} ;; *) current=${current//\\/} ;; esac
  words[cursor]=$current

  local line value rest_of about files= space=
  while IFS= read -r line; do
    case $line in
      '{"files":"file"}') files=default ;;
      '{"files":"dir"}') files=dirnames ;;
      '{"value":"'*)
        value=${line#'{"value":"'}
        value=${value%%'","about":"'*}
        rest_of=$value
        if [[ $value == *\\* ]]; then
          value=
          while [[ $rest_of == *\\* ]]; do
            value+=${rest_of%%\\*}
            rest_of=${rest_of#*\\}
            value+=${rest_of:0:1}
            rest_of=${rest_of:1}
          done
          value+=$rest_of
        fi
        case $value in */ | *=) space=no ;; esac
        COMPREPLY+=("$value")
        ;;
    esac
  done < <("${words[0]/#\~/$HOME}" __complete "$((cursor - 1))" "${words[@]:1:cursor}" 2>/dev/null)

  # Readline replaces only the last part of the word, as it splits it.
  local own=$last
  case $own in *[=:]) own= ;; esac
  local skip=$((${#raw} - ${#own})) index
  case $raw in \"* | \'*) skip=0 ;; esac
  for index in "${!COMPREPLY[@]}"; do
    value=${COMPREPLY[index]:skip}
    case $raw in \"* | \'*) ;; *) [[ $value == *[!A-Za-z0-9_./:=@%+,-]* ]] && printf -v value %q "$value" ;; esac
    COMPREPLY[index]=$value
  done
  [[ $space ]] && compopt -o nospace 2>/dev/null
  [[ $files ]] && compopt -o "$files" 2>/dev/null
  return 0
}

complete -F _flwd flwd
