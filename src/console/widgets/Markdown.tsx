// Shows the Markdown that reports use: headings, paragraphs, lists, tables, code, emphasis and links. It creates React
// elements and no HTML, so nothing that a job writes can become markup.

import type { ReactNode } from 'react';
import { type Block, blocksOf, inlinesOf } from './markdown-blocks.ts';
import { Code } from './Notes.tsx';

export function Markdown({ text }: { readonly text: string }): ReactNode {
  const blocks = blocksOf(text);
  if (!blocks) return <Code label="Text" text={text} />;
  return (
    <div>
      {blocks.map((block, index) => (
        <Drawn key={index} block={block} />
      ))}
    </div>
  );
}

/** The page has the h1, so headings start at h2. */
const headings = ['h2', 'h3', 'h4', 'h5', 'h6', 'h6'] as const;

function Drawn({ block }: { readonly block: Block }): ReactNode {
  switch (block.kind) {
    case 'heading': {
      const Heading = headings[block.level - 1] ?? 'h6';
      return <Heading>{inline(block.text)}</Heading>;
    }
    case 'code':
      return <pre>{block.text}</pre>;
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

function inline(text: string): ReactNode[] {
  return inlinesOf(text).map((part, key) => {
    switch (part.kind) {
      case 'code':
        return <code key={key}>{part.text}</code>;
      case 'strong':
        return <strong key={key}>{part.text}</strong>;
      case 'emphasis':
        return <em key={key}>{part.text}</em>;
      case 'link':
        return (
          <a key={key} href={part.target} target="_blank" rel="noopener noreferrer">
            {part.text}
          </a>
        );
      default:
        return part.text;
    }
  });
}
