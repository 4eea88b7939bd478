// Names of a job's files as people may be shown them.

/** Without what could break a line or a header, move a cursor, or turn the direction of a text. */
export function withoutControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '_');
}
