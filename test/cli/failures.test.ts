// `flwd failures`, and what `flwd runs RUN` says about a failure.

import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('failures are listed with their count until the job succeeds', async () => {
  const { dir } = await createInstance({
    load: bash('[ "$FLWD_ARG_OK" = true ] && exit 0; echo "row $RANDOM is broken" >&2; exit 3', {
      argspec: { type: 'object', properties: { ok: { type: 'boolean', default: false } } },
    }),
  });
  await flwd(dir, 'load');
  await flwd(dir, 'load');
  const { stdout } = await flwd(dir, 'failures');
  const [head, row, ...rest] = stdout.split('\n').map((line) => line.split(/ {2,}/));
  expect(head).toEqual(['JOB', 'TIMES', 'STATE', 'SINCE', 'AT REVISION', 'LAST', 'LAST RUN', 'WHY']);
  expect(row).toEqual([
    'load',
    '2',
    'open',
    expect.stringMatching(/^20\S+Z$/),
    expect.stringMatching(/^[0-9a-f]{7}$/),
    expect.stringMatching(/^20\S+Z$/),
    expect.stringMatching(/^run_/),
    expect.stringMatching(/^exited with code 3: row \d+ is broken/),
  ]);
  expect(rest).toEqual([['']]);
  expect((await flwd(dir, 'runs', row?.[6] ?? '')).stdout).toMatch(
    /^happened +2 times since 20\S+Z, first at revision [0-9a-f]{7}$/m,
  );

  await flwd(dir, 'load', '--ok');
  expect(await flwd(dir, 'failures')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'no open failures; --all shows fixed ones\n',
  });
  const all: unknown = JSON.parse((await flwd(dir, 'failures', '--all', '--json')).stdout);
  expect(all).toMatchObject({ failures: [{ job_id: 'load', state: 'fixed', count: 2 }], next_cursor: null });
});
