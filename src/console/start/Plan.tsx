// What would happen if the job were started now, and what the server says of the arguments meanwhile.

import { type ReactNode, useEffect, useState } from 'react';
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

/** What the server says of the arguments once typing pauses; null: not known yet. `nudge` grows when it may have changed. */
export function useOutlook(jobId: string, args: JsonObject, nudge: number): Outlook | null {
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
  }, [client, jobId, key, nudge]);
  return outlook;
}

export function Plan(o: {
  readonly outlook: Outlook | null;
  /** What it is that is planned, where that is not what would be started. */
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
            ? 'Being asked for…'
            : outlook.kind === 'none'
              ? 'It cannot be had now.'
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
    ['the run', run],
    ['a step', step],
    ['waiting', queue],
  ].flatMap(([what, time]) => (time ? [`${what} ${time}`] : []));
  return (
    <Facts
      of={[
        ['Profile', profile],
        ['Network', plan.network_reach ?? 'none'],
        ['Files', filesystemWords[isolation.filesystem]],
        [
          'Grants',
          plan.grants.map(({ kind, path }) => (kind === 'network' ? 'network' : `${kind} ${path}`)).join(', '),
        ],
        ['Steps', plan.steps.length > 1 ? stepsWords(plan.steps) : null],
        ['Memory', plan.limits.memory ? `${formatSize(plan.limits.memory.bytes)}, by ${plan.limits.memory.by}` : null],
        ['Processes', plan.limits.pids ? `${plan.limits.pids.count}, by ${plan.limits.pids.by}` : null],
        ['Time', times.join(', ')],
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

/** Each with those that it waits for; what waits for none starts first. */
function stepsWords(steps: PlanAnswer['steps']): string {
  const words = steps.map(({ step_id: id, needs }) => (needs.length === 0 ? id : `${id} after ${needs.join(' and ')}`));
  return `${steps.length}: ${words.join('; ')}`;
}

const filesystemWords: Readonly<Record<PlanAnswer['security']['isolation']['filesystem'], string>> = {
  workspace: 'its own workspace, and a read-only system',
  'host-read-only': 'the host’s, read-only',
  host: 'the host’s',
};
