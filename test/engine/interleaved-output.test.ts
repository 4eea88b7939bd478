// Lines that a script writes in pieces while its other stream and its helpers write lines of their own.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { dataFolder, type Opened, openEngine } from './an-engine.ts';

const token = 'correct-horse-battery-staple-4711';
const takesToken = { args: [{ name: 'token', type: 'string', format: 'secret' }] };
const halves = 't=$(cat "$FLWD_SECRETS_DIR/token"); first=${t:0:16}; second=${t:16}';
/** Lets the script wait for the test, so that the spool can receive what the script has written to stderr. */
const untilTold = (file: string): string => `until [ -e ${file} ]; do sleep 0.02; done; rm ${file}`;

function tell(root: string, runId: string, file: string): void {
  writeFileSync(join(root, 'data', 'runs', runId, 'workspace', file), '');
}

async function printed({ store }: Opened, runId: string): Promise<string[]> {
  const { lines } = await store.logs.page(runId, { limit: 100 });
  return lines.map(({ stream, level, message }) => `${stream} ${level}: ${message}`);
}

test('a line of stdout that stderr and helpers interrupt stays one line, and a secret in it is redacted', async () => {
  const root = dataFolder();
  const jobs = {
    cut: bash(
      `${halves}
printf "token is $first"
echo 'a warning' >&2
${untilTold('go')}
printf "\${second:0:4}"
flwd_log info 'a note'
flwd_progress 40 copying
printf "\${second:4} end\\nover\\n"
`,
      takesToken,
    ),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('cut', { token });
  await expect.poll(() => printed(opened, runId)).toEqual(['stderr error: a warning']);
  tell(root, runId, 'go');
  const run = await opened.finished(runId);
  expect(run).toMatchObject({ status: 'success', progress: { percent: 40, message: 'copying' } });
  expect(await printed(opened, runId)).toEqual([
    'stderr error: a warning',
    'stdout info: a note',
    'stdout info: token is [redacted] end',
    'stdout info: over',
  ]);
});

test('a line that a script begins under one server and ends under the next is stored once and whole', async () => {
  const root = dataFolder();
  const jobs = {
    cut: bash(
      `${halves}
echo ready
printf "token is $first"
echo 'a warning' >&2
${untilTold('go')}
printf "\${second:0:4}"
echo 'another one' >&2
${untilTold('on')}
printf "\${second:4} end\\n"
printf 'and a last one' >&2
`,
      takesToken,
    ),
  };
  const first = await openEngine(root, { jobs });
  const runId = await first.create('cut', { token });
  await expect.poll(() => printed(first, runId)).toEqual(['stdout info: ready', 'stderr error: a warning']);
  await first.close();
  tell(root, runId, 'go');
  const second = await openEngine(root);
  await expect.poll(() => printed(second, runId)).toHaveLength(3);
  await second.close();
  tell(root, runId, 'on');
  const third = await openEngine(root);
  await third.finished(runId);
  expect(await printed(third, runId)).toEqual([
    'stdout info: ready',
    'stderr error: a warning',
    'stderr error: another one',
    'stdout info: token is [redacted] end',
    'stderr error: and a last one',
  ]);
  const { lines } = await third.store.logs.page(runId, { limit: 100 });
  expect(lines.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  const stamps = lines.map(({ timestamp }) => timestamp);
  expect(stamps).toEqual([...new Set(stamps)].toSorted());
});
