// How many terminal columns a text takes.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { textWidth } from '../../src/cli/terminal/text-width.ts';

const part = fc.constantFrom(
  ...'a|Z|0|#| |~|…|✓|✗|–|·|é|漢|👍|👩‍👩‍👦|\uFE0F|\u20E3|\u0301|\u200B|\t|\u001B[31m'.split('|'),
);

test('the width of any text is the width that string-width reports', () => {
  fc.assert(
    fc.property(fc.string({ unit: part }), (text) => {
      expect(textWidth(text), text).toBe(stringWidth(text));
    }),
  );
});

test('the width of a plain text does not need string-width, which takes longer to load than a short command', async () => {
  const file = new URL('../../src/cli/terminal/text-width.ts', import.meta.url).href;
  const loadedFor = async (text: string): Promise<string> => {
    const script = `const { textWidth } = await import('${file}'); textWidth('${text}');
      console.log(Object.keys(process.getBuiltinModule('module').createRequire('${file}').cache).join('\\n'));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    return stdout;
  };
  expect(await loadedFor('team-1/job-1  ✓ success')).not.toContain('string-width');
  expect(await loadedFor('漢字')).toContain('string-width');
});
