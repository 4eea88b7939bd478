// The plan: what the server would do if the job were started now, or what is wrong with the arguments.

import { type ReactNode, useEffect, useState } from 'react';
import { grantText } from '../../client/grant-text.ts';
import { askOutlook, type Outlook } from '../../client/outlook.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { showValue } from '../../domain/argument-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { formatSize } from '../../lib/units.ts';
import { useClient } from '../session/session.tsx';
import { Facts } from '../widgets/Notes.tsx';

type PlanAnswer = AnswerOf<'createPlan'>;

const settleMs = 250;
const retryMs = 2_000;

/**
 * Asks the server about the arguments when typing pauses.
 * @param losses - how often the server could not be reached; when the number grows, the server is asked again
 * @returns null: there is no answer yet
 */
export function useOutlook(jobId: string, args: JsonObject, losses: number): Outlook | null {
  const client = useClient();
  const [outlook, setOutlook] = useState<Outlook | null>(null);
  const key = JSON.stringify(args);
  // `key` stands for `args`
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    const ask = async (): Promise<void> => {
      const answer = await askOutlook(client, { job_id: jobId, args }, signal);
      if (signal.aborted) return;
      setOutlook(answer);
      if (answer.kind === 'none' && answer.isPassing) timer = setTimeout(() => void ask(), retryMs);
    };
    let timer = setTimeout(() => void ask(), settleMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [client, jobId, key, losses]);
  return outlook;
}

export function Plan(o: {
  readonly outlook: Outlook | null;
  /** Says what is planned, if that is not what would be started. */
  readonly note: string | null;
}): ReactNode {
  const { outlook } = o;
  return (
    <section aria-label="Plan" className="panel">
      <h2>Plan</h2>
      {o.note !== null && <p className="note">{o.note}</p>}
      {outlook?.kind === 'plan' ? (
        <PlanFacts plan={outlook.plan} />
      ) : (
        <p className="quiet">
          {outlook === null
            ? 'Loading…'
            : outlook.kind === 'none'
              ? 'The plan is not available now.'
              : 'Fill in the form to see what will run.'}
        </p>
      )}
    </section>
  );
}

function PlanFacts({ plan }: { readonly plan: PlanAnswer }): ReactNode {
  const { profile, isolation } = plan.security;
  const { run, step, queue } = plan.timeouts;
  const times = [
    ['run', run],
    ['step', step],
    ['queue', queue],
  ].flatMap(([what, time]) => (time ? [`${what} ${time}`] : []));
  return (
    <Facts
      of={[
        ['Profile', profile],
        ['User', isolation.user ?? null],
        ['Network', plan.network_reach ?? 'none'],
        ['Files', filesystemWords[isolation.filesystem]],
        ['Grants', plan.grants.map(grantText).join(', ')],
        ['Steps', plan.steps.length > 1 ? stepsWords(plan.steps) : null],
        ['Memory', plan.limits.memory ? `${formatSize(plan.limits.memory.bytes)}, by ${plan.limits.memory.by}` : null],
        ['Processes', plan.limits.pids ? `${plan.limits.pids.count}, by ${plan.limits.pids.by}` : null],
        ['Timeouts', times.join(', ')],
        ['Secrets', [...plan.secrets, ...plan.stored_secrets].join(', ')],
        ['Revision', <code key="revision">{plan.revision.slice(0, 12)}</code>],
        [
          'Arguments',
          Object.keys(plan.args).length > 0 && (
            <ul className="plain" key="args">
              {Object.entries(plan.args).map(([name, value]) => (
                <li key={name}>
                  <code>
                    {name} = {showValue(value)}
                  </code>
                </li>
              ))}
            </ul>
          ),
        ],
      ]}
    />
  );
}

/** Each step with the steps that it needs. */
function stepsWords(steps: PlanAnswer['steps']): string {
  const words = steps.map(({ step_id: id, needs }) => (needs.length === 0 ? id : `${id} after ${needs.join(' and ')}`));
  return `${steps.length}: ${words.join('; ')}`;
}

const filesystemWords: Readonly<Record<PlanAnswer['security']['isolation']['filesystem'], string>> = {
  workspace: 'its own workspace; the system is read-only',
  'host-read-only': 'all files of the host, read-only',
  host: 'all files of the host',
};
