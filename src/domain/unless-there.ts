// The end of every message that asks for a setting in flwd.yaml. The running server may not know what the file says.

/** Follows `add … to flwd.yaml, ` or `add … in flwd.yaml, `. */
export const unlessThere =
  'unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts';
