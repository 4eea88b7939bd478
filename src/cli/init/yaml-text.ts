// Writes single values of YAML.

/** Quotes a text unless plain YAML means the same text. */
export function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const isPlain =
    /^[A-Za-z./][\w ./-]*\w$/.test(value) &&
    !/^(?:true|false|null|yes|no|on|off|\.(?:inf|nan).*)$|^[.\d]+$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}
