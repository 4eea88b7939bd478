import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createFolder, flwd } from './terminal.ts';

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
/** Commands that want a script of the reader's, a terminal, or a port. */
const needsReader = /^npx flwd (?:init --from|tui|serve) /;

test('what the README says of own scripts works in the order it is written, and writes over nothing', async () => {
  const dir = createFolder();
  const section = readme.split(/^## /m).find((text) => text.startsWith('Your own scripts')) ?? '';
  const blocks = [...section.matchAll(/^```(?:sh|yaml)\n(.*?)^```$/gms)].map(([, text = '']) => text).slice(0, 4);
  const outcomes: [string, unknown][] = [];
  for (const text of blocks) {
    const [, path] = /^# (jobs\/\S+)\n/.exec(text) ?? [];
    if (path !== undefined) {
      mkdirSync(join(dir, dirname(path)), { recursive: true });
      writeFileSync(join(dir, path), text, { flag: 'wx' });
      continue;
    }
    for (const line of text.split('\n').filter((each) => each !== '' && !needsReader.test(each))) {
      const [command = ''] = line.split(/ +#/, 1);
      outcomes.push([command, (await flwd(dir, ...command.split(' ').slice(2))).code]);
    }
  }
  expect(outcomes).toEqual([
    ['npx flwd init jobs/hello', 0],
    ['npx flwd hello --who Ada', 0],
    ['npx flwd test', 0],
    ['npx flwd greet --help', 0],
    ['npx flwd greet --who Ada', 0],
  ]);
});
