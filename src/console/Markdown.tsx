// Markdown as far as reports use it: headings, paragraphs, lists, tables, code, emphasis, links. It makes elements and no HTML,
// so what a job writes stays text.

import type { ReactNode } from 'react';

type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly text: string }
  | { readonly kind: 'code' | 'paragraph' | 'quote'; readonly text: string }
  | { readonly kind: 'list'; readonly isOrdered: boolean; readonly items: readonly string[] }
  | { readonly kind: 'table'; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: 'rule' };

export function Markdown({ text }: { readonly text: string }): ReactNode {
  return (
    <div className="markdown">
      {blocksOf(text).map((block, index) => (
        <Drawn key={index} block={block} />
      ))}
    </div>
  );
}

/** Its headings stand below those of the page. */
const headings = ['h2', 'h3', 'h4', 'h5', 'h6', 'h6'] as const;

function Drawn({ block }: { readonly block: Block }): ReactNode {
  switch (block.kind) {
    case 'heading': {
      const Heading = headings[block.level - 1] ?? 'h6';
      return <Heading>{inline(block.text)}</Heading>;
    }
    case 'code':
      return <pre className="code">{block.text}</pre>;
    case 'quote':
      return <blockquote>{inline(block.text)}</blockquote>;
    case 'rule':
      return <hr />;
    case 'list': {
      const List = block.isOrdered ? 'ol' : 'ul';
      return (
        <List>
          {block.items.map((item, index) => (
            <li key={index}>{inline(item)}</li>
          ))}
        </List>
      );
    }
    case 'table':
      return (
        <table>
          <thead>
            <tr>
              {block.head.map((cell, index) => (
                <th key={index} scope="col">
                  {inline(cell)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {block.rows.map((row, index) => (
              <tr key={index}>
                {row.map((cell, column) => (
                  <td key={column}>{inline(cell)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
    default:
      return <p>{inline(block.text)}</p>;
  }
}

function blocksOf(text: string): Block[] {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    const [, marks, title] = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line) ?? [];
    /** The lines from here on that are like this, without what marks them. */
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
      blocks.push({ kind: 'heading', level: marks.length, text: title ?? '' });
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
      blocks.push({ kind: 'list', isOrdered: false, items: take(/^\s*[-*+]\s+(.*)$/) });
    else if (/^\s*\d+[.)]\s/.test(line))
      blocks.push({ kind: 'list', isOrdered: true, items: take(/^\s*\d+[.)]\s+(.*)$/) });
    else if (line.includes('|') && /^[\s|:-]*-[\s|:-]*$/.test(lines[at + 1] ?? '')) {
      at += 2;
      blocks.push({ kind: 'table', head: cellsOf(line), rows: take(/^(.*\|.*)$/).map(cellsOf) });
    } else
      blocks.push({ kind: 'paragraph', text: take(/^(?!#{1,6}\s|```|>|\s*[-*+]\s|\s*\d+[.)]\s)(.*\S.*)$/).join('\n') });
  }
  return blocks;
}

function cellsOf(row: string): string[] {
  return row
    .trim()
    .replace(/^\|/, '')
    .replace(/\|$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

const inlines = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

function inline(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const found of text.matchAll(inlines)) {
    const [whole, code, strong, alsoStrong, emphasis, label, target] = found;
    parts.push(text.slice(at, found.index));
    at = found.index + whole.length;
    const key = found.index;
    if (code !== undefined) parts.push(<code key={key}>{code}</code>);
    else if (strong !== undefined || alsoStrong !== undefined)
      parts.push(<strong key={key}>{strong ?? alsoStrong}</strong>);
    else if (emphasis !== undefined) parts.push(<em key={key}>{emphasis}</em>);
    else if (target !== undefined && /^https?:\/\//i.test(target)) {
      parts.push(
        <a key={key} href={target} target="_blank" rel="noopener noreferrer">
          {label}
        </a>,
      );
    } else parts.push(label ?? '');
  }
  return [...parts, text.slice(at)];
}
