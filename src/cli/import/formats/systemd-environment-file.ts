// The shell functions with which the script of an imported service reads an `EnvironmentFile=`. They follow the rules
// of systemd.exec(5), and run nothing that is in the file.

const functions = `
read_environment() {
  _state=start _name= _value= _blanks=
  while _end='
'; IFS= read -r _line || { _end=; [ -n "$_line" ]; }; do
    _rest=$_line$_end
    while [ -n "$_rest" ]; do
      _tail=\${_rest#?}
      read_character "\${_rest%"$_tail"}"
      _rest=$_tail
    done
  done < "$1"
  case $_state in start | name | comment) ;; *) set_variable ;; esac
}
read_character() {
  case $1 in
    '
' | "$_return") _kind=end ;;
    ' ' | "$_tab") _kind=blank ;;
    *) _kind=other ;;
  esac
  case $_state,$_kind,$1 in
    start,other,[#\\;]) _state=comment ;;
    start,other,*) _state=name _name=$1 ;;
    start,*) ;;
    comment,end,* | name,end,*) _state=start ;;
    comment,*) ;;
    name,*,=) _state=before ;;
    name,*) _name=$_name$1 ;;
    before,end,* | value,end,*) set_variable ;;
    before,blank,*) ;;
    before,*,\\') _state=single ;;
    before,*,\\") _state=double ;;
    single,*,\\' | double,*,\\") _state=before ;;
    before,*,\\\\ | value,*,\\\\) _state=escaped _value=$_value$_blanks _blanks= ;;
    double,*,\\\\) _state=escaped_in_quotes ;;
    value,blank,*) _blanks=$_blanks$1 ;;
    before,* | value,*) _state=value _value=$_value$_blanks$1 _blanks= ;;
    escaped,end,*) _state=value ;;
    escaped,*) _state=value _value=$_value$1 ;;
    escaped_in_quotes,end,*) _state=double ;;
    escaped_in_quotes,*,[\\"\\\\\\$\\\`]) _state=double _value=$_value$1 ;;
    escaped_in_quotes,*) _state=double _value="$_value\\\\$1" ;;
    *) _value=$_value$1 ;;
  esac
}
set_variable() {
  _name=\${_name%"\${_name##*[! $_tab]}"}
  case $_name in '' | [0-9]* | *[!A-Za-z0-9_]*) ;; *) export "$_name=$_value" ;; esac
  _state=start _name= _value= _blanks=
}`;

export const environmentFileReader = [`_tab=$(printf '\\t') _return=$(printf '\\r')`, ...functions.trim().split('\n')];
