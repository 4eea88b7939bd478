import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('a run with a key is created once: repeating the command returns the same run and exit code', async () => {
  const { dir } = await createInstance({ count: bash('echo counted; exit 3') });
  const first = await flwd(dir, 'run', 'count', '--json', '--idempotency-key', 'nightly 2026-01-31');
  const again = await flwd(dir, 'run', 'count', '--json', '--idempotency-key', 'nightly 2026-01-31');
  expect(again.code).toBe(first.code);
  const idOf = ({ stdout }: { stdout: string }): unknown => JSON.parse(stdout.trim().split('\n').at(-1) ?? '').run_id;
  expect(idOf(again)).toBe(idOf(first));
  expect(JSON.parse((await flwd(dir, 'runs', '--json')).stdout)).toMatchObject({ total: 1 });

  const other = await flwd(dir, 'run', 'count', '--priority', '1', '--idempotency-key', 'nightly 2026-01-31');
  expect(other).toMatchObject({
    code: 6,
    stderr: "The Idempotency-Key 'nightly 2026-01-31' was used with a different body.\n",
  });
  expect(await flwd(dir, 'run', 'count', '--idempotency-key', 'née')).toMatchObject({
    code: 2,
    stderr: '--idempotency-key takes 1 to 255 printable ASCII characters, without spaces at its ends\n',
  });
  const rerun = ['rerun', String(idOf(first)), '--detach', '--quiet', '--idempotency-key', 'again'];
  expect((await flwd(dir, ...rerun)).stdout).toBe((await flwd(dir, ...rerun)).stdout);
});
