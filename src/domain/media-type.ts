// Checks media types that come from outside flwd: from a job's config, a script or a stored artifact.

const token = "[\\w!#$%&'*+.^`|~-]+";
const pattern = new RegExp(`^${token}/${token}(?:; ?${token}=(?:${token}|"[\\w !#-\\[\\]-~]*"))*$`);

/** Whether the text has the form of RFC 9110, with or without parameters. Such a text is safe in a header. */
export function isMediaType(text: string): boolean {
  return text.length <= 255 && pattern.test(text);
}
