import { expect } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { start } from './terminal.ts';

const test = testWith('bwrap');

test('a run that a pipeline starts belongs to its trace', async () => {
  const { dir } = await createInstance({ hello: bash('echo "$TRACEPARENT $TRACESTATE"') });
  const trace_id = '0af7651916cd43dd8448eb211c80319c';
  const env = { TRACEPARENT: `00-${trace_id}-b7ad6b7169203331-01`, TRACESTATE: 'rojo=1' };
  const startIn = async (args: readonly string[], more: Readonly<Record<string, string>>): Promise<Run> =>
    JSON.parse((await start(dir, [...args, '--json'], more).ended).stdout);
  const run = await startIn(['run', 'hello'], env);
  expect(run.trace).toEqual({ trace_id, parent_id: 'b7ad6b7169203331', sampled: true, state: 'rojo=1' });
  expect((await startIn(['rerun', run.run_id], env)).trace).toMatchObject({ trace_id });
  expect((await startIn(['run', 'hello'], { TRACEPARENT: 'nonsense\n' })).trace).toMatchObject({ parent_id: null });
});
