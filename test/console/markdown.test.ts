// Markdown in the form that jobs use: its parts, and that no text blocks the page.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blocksOf, inlinesOf } from '../../src/console/widgets/markdown-blocks.ts';
import { expectWithin, msOf } from '../support/goes.ts';

describe('a text of Markdown', () => {
  test('has headings, paragraphs, lists, tables, code, quotes and rules', () => {
    const text = `# Disks ##
all is *well*
so far

| disk | used |
| --- | ---: |
| sda | a\\|b |
- one
- two
1. first
> quoted
---
\`\`\`sh
# code
\`\`\`
`;
    expect(blocksOf(text)).toEqual([
      { kind: 'heading', level: 1, text: 'Disks' },
      { kind: 'paragraph', text: 'all is *well*\nso far' },
      { kind: 'table', head: ['disk', 'used'], rows: [['sda', 'a|b']] },
      { kind: 'list', isOrdered: false, items: ['one', 'two'] },
      { kind: 'list', isOrdered: true, items: ['first'] },
      { kind: 'quote', text: 'quoted' },
      { kind: 'rule' },
      { kind: 'code', text: '# code' },
    ]);
  });

  test('has emphasis and code, and links to the web only', () => {
    expect(inlinesOf('a `b` **c** __d__ *e* [f](https://x.org/y) [g](javascript:h)')).toEqual([
      { kind: 'text', text: 'a ' },
      { kind: 'code', text: 'b' },
      { kind: 'text', text: ' ' },
      { kind: 'strong', text: 'c' },
      { kind: 'text', text: ' ' },
      { kind: 'strong', text: 'd' },
      { kind: 'text', text: ' ' },
      { kind: 'emphasis', text: 'e' },
      { kind: 'text', text: ' ' },
      { kind: 'link', text: 'f', target: 'https://x.org/y' },
      { kind: 'text', text: ' ' },
      { kind: 'text', text: 'g' },
    ]);
  });

  test('shows an image as its description, and a link that is not allowed as its text', () => {
    const textOf = (text: string): string =>
      inlinesOf(text)
        .map((part) => part.text)
        .join('');
    expect(textOf('see ![disk use](disk.png)!')).toBe('see (picture: disk use)!');
    expect(textOf('![](https://x.org/y.png)')).toBe('(picture)');
    expect(textOf('[a](javascript:b(1)), [c](d.md "e")')).toBe('a, c');
    const target = 'https://x.org/y_(z)';
    expect(inlinesOf(`[f](${target} "g")`)).toEqual([{ kind: 'link', text: 'f', target }]);
  });

  test('shows tasks with checkboxes', () => {
    expect(blocksOf('- [x] one\n- [ ] two\n- [y] three')).toEqual([
      { kind: 'list', isOrdered: false, items: ['☑ one', '☐ two', '[y] three'] },
    ]);
  });

  test.each(['a\rb', 'a\u2028b', 'a\u2029b', 'a\r\nb'])('breaks lines at every kind of line end: %j', (text) => {
    expect(blocksOf(text)).toEqual([{ kind: 'paragraph', text: 'a\nb' }]);
  });

  test('loses no word, whatever markup surrounds it', () => {
    const marks = '\r \n \u2028 \u2029 \u0085 \u00a0 \t # ` ``` > - * + _ 1. 2) | [ ] ( ) \\ : word word'.split(/ /);
    const piece = fc.nat(marks.length).map((n) => marks[n] ?? ' ');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const text = pieces.join('');
        const blocks = blocksOf(text) ?? [];
        // The words after ``` are the language of the code block, and are not shown.
        if (text.includes('```')) return;
        expect(JSON.stringify(blocks).split('word')).toHaveLength(text.split('word').length);
      }),
      { numRuns: 2_000 },
    );
  });

  test('that is too large, or has too long lines, is shown as plain text', () => {
    expect(blocksOf('a\n'.repeat(50_001))).toBeNull();
    expect(blocksOf('a'.repeat(10_001))).toBeNull();
    expect(blocksOf(`${'a'.repeat(10_000)}\n`)).toHaveLength(1);
  });

  const pieces = '[ ( ] ) ` * _ # | - > [a](b *a **a __a _a `a []( \\| |- 1. x |a| - -a # - ** [a]( ](';
  test.each(pieces.split(' '))('of nothing but %s is parsed as fast as any other', async (piece) => {
    for (const between of ['', ' ', '\n']) {
      const unit = piece + between;
      // The text consists of lines of the maximum length, which form one paragraph.
      const line = unit.repeat(Math.floor(9_900 / unit.length));
      const text = `${line}x)\n`.repeat(10);
      // This takes a few milliseconds; a quadratic parser takes seconds.
      await expectWithin(1_000, () =>
        msOf(() => {
          for (const block of blocksOf(text) ?? []) if ('text' in block) inlinesOf(block.text);
          inlinesOf(text);
          blocksOf(`# ${line}x`);
          blocksOf(`|a\n${line}x`);
        }),
      );
    }
  });
});
