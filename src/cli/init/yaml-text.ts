// Writes single values of YAML.

/** Quotes a text if YAML would read it as something else without quotes. */
export function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const isPlain =
    /^[A-Za-z./][\w ./-]*\w$/.test(value) &&
    !/^(?:true|false|null|yes|no|on|off|\.(?:inf|nan).*)$|^[.\d]+$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}
