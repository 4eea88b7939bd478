// Parses Markdown. The text comes from a job and is untrusted, so parsing must take linear time: no regular expression
// here backtracks over the same characters again and again.

export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly text: string }
  | { readonly kind: 'code' | 'paragraph' | 'quote'; readonly text: string }
  | { readonly kind: 'list'; readonly isOrdered: boolean; readonly items: readonly string[] }
  | { readonly kind: 'table'; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: 'rule' };

export type Inline =
  | { readonly kind: 'text' | 'code' | 'strong' | 'emphasis'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly target: string };

const mostText = 100_000;
const mostLine = 10_000;

/** Returns null if the text is too large, or has lines that are too long, to be shown as Markdown. */
export function blocksOf(text: string): Block[] | null {
  if (text.length > mostText) return null;
  // `.` in a regular expression matches none of these line breaks.
  const lines = text.split(/\r\n|[\n\r\u2028\u2029]/);
  if (lines.some((line) => line.length > mostLine)) return null;
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    const [marks] = /^#{1,6}(?=\s)/.exec(line) ?? [];
    /** Takes the following lines as long as they match. Returns the pattern's first group of each line. */
    const take = (pattern: RegExp): string[] => {
      const taken: string[] = [];
      for (; at < lines.length; at++) {
        const found = pattern.exec(lines[at] ?? '');
        if (!found) break;
        taken.push(found[1] ?? '');
      }
      return taken;
    };
    if (line.trim() === '') at++;
    else if (marks !== undefined) {
      blocks.push({ kind: 'heading', level: marks.length, text: titleOf(line.slice(marks.length)) });
      at++;
    } else if (line.startsWith('```')) {
      at++;
      const code = take(/^(?!```)(.*)$/);
      at++;
      blocks.push({ kind: 'code', text: code.join('\n') });
    } else if (/^ {0,3}([-*_])\s*(?:\1\s*){2,}$/.test(line)) {
      blocks.push({ kind: 'rule' });
      at++;
    } else if (line.startsWith('>')) blocks.push({ kind: 'quote', text: take(/^>\s?(.*)$/).join('\n') });
    else if (/^\s*[-*+]\s/.test(line))
      blocks.push({ kind: 'list', isOrdered: false, items: take(/^\s*[-*+]\s+(.*)$/).map(ticked) });
    else if (/^\s*\d+[.)]\s/.test(line))
      blocks.push({ kind: 'list', isOrdered: true, items: take(/^\s*\d+[.)]\s+(.*)$/).map(ticked) });
    else if (line.includes('|') && isBelowHead(lines[at + 1] ?? '')) {
      at += 2;
      blocks.push({ kind: 'table', head: cellsOf(line), rows: take(/^(.*\|.*)$/).map(cellsOf) });
    } else {
      at++;
      const more = take(/^(?!#{1,6}\s|```|>|\s*[-*+]\s|\s*\d+[.)]\s)(.*\S.*)$/);
      blocks.push({ kind: 'paragraph', text: [line, ...more].join('\n') });
    }
  }
  return blocks;
}

/** An item of a task list, with a box that shows whether it is done. */
function ticked(item: string): string {
  return item.replace(/^\[([ xX])\](?=\s)/, (_, mark: string) => (mark === ' ' ? '☐' : '☑'));
}

/** The title without closing `#` marks. */
function titleOf(rest: string): string {
  const title = rest.trim();
  let end = title.length;
  while (title[end - 1] === '#') end--;
  return title.slice(0, end).trimEnd();
}

function isBelowHead(line: string): boolean {
  return line.includes('-') && /^[\s|:-]+$/.test(line);
}

function cellsOf(row: string): string[] {
  return row
    .trim()
    .replace(/^\|/, '')
    .replace(/\|$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

/** No alternative may contain its own opening character, so an unclosed part is scanned only once. */
const inlines =
  /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|(!?)\[([^[\]]*)\]\(((?:[^()[\]\s]|\([^()[\]\s]*\))+)(?:\s"[^"[\]]*")?\)/g;

export function inlinesOf(text: string): Inline[] {
  const parts: Inline[] = [];
  let at = 0;
  for (const found of text.matchAll(inlines)) {
    const [whole, code, strong, alsoStrong, emphasis, mark, label = '', target = ''] = found;
    if (found.index > at) parts.push({ kind: 'text', text: text.slice(at, found.index) });
    at = found.index + whole.length;
    if (code !== undefined) parts.push({ kind: 'code', text: code });
    else if (strong !== undefined || alsoStrong !== undefined)
      parts.push({ kind: 'strong', text: strong ?? alsoStrong ?? '' });
    else if (emphasis !== undefined) parts.push({ kind: 'emphasis', text: emphasis });
    else if (mark === '!') parts.push({ kind: 'text', text: label === '' ? '(picture)' : `(picture: ${label})` });
    else if (label !== '' && /^https?:\/\//i.test(target)) parts.push({ kind: 'link', text: label, target });
    else parts.push({ kind: 'text', text: label });
  }
  if (at < text.length) parts.push({ kind: 'text', text: text.slice(at) });
  return parts;
}
