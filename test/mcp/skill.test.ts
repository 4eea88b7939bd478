import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFolder, flwd } from '../cli/terminal.ts';
import { writeJob } from '../support/jobs.ts';

const skill = readFileSync(new URL('../../docs/skill/SKILL.md', import.meta.url), 'utf8');

/** The example files in the skill. A comment at the top of each file names its path. */
function exampleFiles(): Record<string, string> {
  const blocks = [
    ...skill.matchAll(/^```(?:yaml|bash)\n((?:#![^\n]*\n)?# jobs\/reports\/words\/([\w.]+\w)[^\n]*\n.*?)^```$/gms),
  ];
  return Object.fromEntries(blocks.map(([, text = '', name = '']) => [name, text]));
}

test('the example job of the skill passes the example tests of the skill', async () => {
  const dir = createFolder();
  const files = exampleFiles();
  expect(Object.keys(files).toSorted()).toEqual(['config.yaml', 'run.sh', 'tests.yaml']);
  writeFileSync(join(dir, 'flwd.yaml'), '{}');
  await writeJob(join(dir, 'jobs/reports/words'), files);
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toMatchObject({ code: 0 });
  const { code, stdout, stderr } = await flwd(dir, 'test', 'reports/words', '--json');
  expect(code, stdout + stderr).toBe(0);
  expect(stdout.trim().split('\n').length).toBeGreaterThanOrEqual(2);
});
