// Checks media types that come from outside: a job's config, a script, a stored artifact.

const token = "[\\w!#$%&'*+.^`|~-]+";
const pattern = new RegExp(`^${token}/${token}(?:; ?${token}=(?:${token}|"[\\w !#-\\[\\]-~]*"))*$`);

/** The form of RFC 9110, with parameters, so it is safe in a header. */
export function isMediaType(text: string): boolean {
  return text.length <= 255 && pattern.test(text);
}
