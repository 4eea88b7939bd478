// What a media type is, wherever one is taken from others: a job's config, a script, a row to be served.

const token = "[\\w!#$%&'*+.^`|~-]+";
const pattern = new RegExp(`^${token}/${token}(?:; ?${token}=(?:${token}|"[\\w !#-\\[\\]-~]*"))*$`);

/** As RFC 9110 writes it, parameters included: fit for a header. */
export function isMediaType(text: string): boolean {
  return text.length <= 255 && pattern.test(text);
}
