// The last success of the job before a run, in the run's own tenant, and how the run differs from it.

import { showValue } from '../../domain/argument-fields.ts';
import { useAnswer } from '../session/answers.tsx';
import type { Run } from '../words.ts';

/** null: the job has not succeeded before; undefined: not known yet. */
export function useLastSuccess(run: Run): Run | null | undefined {
  const { data } = useAnswer(
    ['last success', run.run_id],
    async (client, signal) => {
      const { runs } = await client.call('listRuns', {
        query: { job_id: run.job_id, tenant: run.tenant, status: 'success', until: run.created_at, limit: 1 },
        signal,
      });
      const [last] = runs;
      return last ? client.call('getRun', { path: { run_id: last.run_id }, signal }) : null;
    },
    { staleTime: Number.POSITIVE_INFINITY },
  );
  return data;
}

export type ChangedArgument = {
  readonly name: string;
  /** Empty: it was not given. */
  readonly before: string;
  readonly after: string;
};

export function changedArguments(before: Run, after: Run): ChangedArgument[] {
  const names = [...new Set([...Object.keys(after.args), ...Object.keys(before.args)])];
  return names.flatMap((name) => {
    const [was, is] = [textOf(before, name), textOf(after, name)];
    return was === is ? [] : [{ name, before: was, after: is }];
  });
}

function textOf({ args }: Run, name: string): string {
  return args[name] === undefined ? '' : showValue(args[name]);
}
