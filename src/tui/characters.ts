// Splits text into the characters that a user sees. An emoji of several parts, or a letter with its accent, is one
// character.

const segmenter = new Intl.Segmenter();

export function characters(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}
