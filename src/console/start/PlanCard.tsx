// Shows what would happen: a sentence, the steps, and what the run may do. The last plan stays visible until the next
// one arrives.

import {
  BellOff,
  Braces,
  Database,
  FilePen,
  FileSearch,
  FileX,
  Gauge,
  GitCommitHorizontal,
  Globe,
  KeyRound,
  Layers,
  type LucideIcon,
  ShieldCheck,
} from 'lucide-react';
import type { ReactNode } from 'react';
import { grantText } from '../../client/grant-text.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { argumentFields, showValue } from '../../domain/argument-fields.ts';
import { sizeWords } from '../../lib/units.ts';
import { Card } from '../design/text/Card.tsx';
import { WithCode } from '../widgets/Notes.tsx';
import { countOf, harmless, settingWords } from '../words.ts';
import type { PlanAnswer } from './outlooks.ts';
import styles from './PlanCard.module.css';
import type { useStartForm } from './start-form.ts';

type Job = AnswerOf<'getJob'>;

export function PlanCard({
  form,
  job,
  sentence,
  graph,
}: {
  readonly form: ReturnType<typeof useStartForm>;
  readonly job: Job;
  readonly sentence: ReactNode;
  readonly graph: ReactNode;
}): ReactNode {
  const { outlook, lastPlan, planNote } = form;
  const isOld = outlook !== null && outlook.kind !== 'plan';
  return (
    <Card
      title="What would happen"
      isFlush
      end={
        <span className={styles.state}>
          {lastPlan !== null && isOld ? 'the last plan, not the current one' : 'planned as you type'}
        </span>
      }
    >
      {sentence !== null && <div className={styles.sentence}>{sentence}</div>}
      {planNote !== null && <p className={styles.note}>{planNote}</p>}
      {graph !== null && <div className={styles.graph}>{graph}</div>}
      {lastPlan === null ? (
        <>
          <Facts of={factsOfJob(job)} />
          <p className={styles.none}>
            {outlook === null
              ? 'Loading…'
              : outlook.kind === 'none'
                ? 'The plan is not available now.'
                : 'Fill in the form to see what else the run may do.'}
          </p>
        </>
      ) : (
        <Facts of={factsOf(lastPlan, job)} isOld={isOld} />
      )}
    </Card>
  );
}

function Facts({ of, isOld = false }: { readonly of: readonly Fact[]; readonly isOld?: boolean }): ReactNode {
  return (
    <dl className={styles.facts} data-old={isOld || undefined}>
      {of
        .filter(([, , value]) => value !== null && value !== '')
        .map(([Icon, name, value]) => (
          <div key={name}>
            <Icon size={14} strokeWidth={2.2} aria-hidden="true" />
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

type Fact = readonly [icon: LucideIcon, name: string, value: ReactNode];

function factsOf(plan: PlanAnswer, job: Job): readonly Fact[] {
  const { profile, isolation } = plan.security;
  const pathsOf = (kind: 'read' | 'write', grants = plan.grants): ReactNode =>
    codes(grants.filter((grant) => grant.kind === kind).map(({ path = '' }) => path));
  const values = plan.grants.filter(({ kind }) => kind === 'kv_read' || kind === 'kv_write').map(grantText);
  const user = isolation.user === undefined ? '' : `, as ${isolation.user}`;
  return [
    [FilePen, 'Writes', pathsOf('write')],
    [FileSearch, 'Reads', pathsOf('read')],
    [FileX, `Uid ${isolation.uid} cannot write`, pathsOf('write', plan.unusable_grants)],
    [FileX, `Uid ${isolation.uid} cannot read`, pathsOf('read', plan.unusable_grants)],
    [FileX, 'Not shown to the job', codes(plan.hidden_paths.map(({ path }) => path))],
    [KeyRound, 'Would fail', missingSecretWords(plan)],
    [BellOff, 'No such channel', codes(plan.missing_channels)],
    [ShieldCheck, 'Profile', `${profile}${user}: ${filesystemWords[isolation.filesystem]}`],
    [Globe, 'Network', plan.network_reach ?? 'none'],
    [Database, 'Values', codes(values)],
    [KeyRound, 'Secrets', codes([...plan.secrets, ...plan.stored_secrets])],
    [Gauge, 'Limits', limitWords(plan)],
    [Gauge, 'Not enforced', unenforcedWords(plan)],
    [Layers, 'At a time', concurrencyWords(job)],
    [Braces, 'Arguments', codes(Object.entries(plan.args).map(([name, value]) => `${name} = ${showValue(value)}`))],
    [GitCommitHorizontal, 'Revision', codes([plan.revision.slice(0, 12)])],
  ];
}

/** Names the steps whose jobs lack a stored secret; null without such steps. */
function missingSecretWords({ job_id: jobId, missing_step_secrets: missing }: PlanAnswer): ReactNode {
  if (missing.length === 0) return null;
  return missing.map(({ step_id: id, job_id: ofJob, detail }) => (
    <div key={`${ofJob} ${id} ${detail}`}>
      {ofJob === jobId ? 'the step' : `a step of ${harmless(ofJob)},`} <code>{harmless(id)}</code>:{' '}
      <WithCode text={harmless(detail)} />
    </div>
  ));
}

/** The facts that do not depend on the arguments. */
function factsOfJob(job: Job): readonly Fact[] {
  const { security_profile: profile, timeouts, revision } = job;
  return [
    [ShieldCheck, 'Profile', profile],
    [Gauge, 'Limits', timeoutWords(timeouts).join(', ')],
    [Layers, 'At a time', concurrencyWords(job)],
    [GitCommitHorizontal, 'Revision', codes([revision.slice(0, 12)])],
  ];
}

/** Shows texts as code; null without texts. */
function codes(texts: readonly string[]): ReactNode {
  if (texts.length === 0) return null;
  return (
    <span className={styles.codes}>
      {texts.map((text) => (
        <code key={text}>{harmless(text)}</code>
      ))}
    </span>
  );
}

function limitWords({ limits, timeouts }: PlanAnswer): string {
  return [
    limits.memory ? sizeWords(limits.memory.bytes) : null,
    limits.cpu ? countOf(limits.cpu.cores, 'CPU') : null,
    limits.pids ? countOf(limits.pids.count, 'process', 'processes') : null,
    ...timeoutWords(timeouts),
  ]
    .filter((words) => words !== null)
    .join(', ');
}

/** Names the limits that this host cannot enforce; null without such limits. */
function unenforcedWords({ limits: { memory, cpu, pids, workspace } }: PlanAnswer): ReactNode {
  const named = { memory, CPU: cpu, processes: pids, workspace };
  const names = Object.entries(named).flatMap(([name, limit]) => (limit?.by === 'none' ? [name] : []));
  if (names.length === 0) return null;
  return `${names.join(', ')}: this host cannot enforce ${names.length === 1 ? 'this limit' : 'these limits'}`;
}

function timeoutWords({ run, step, queue }: PlanAnswer['timeouts']): readonly string[] {
  return [
    ...(run === null ? [] : [`${settingWords(run)} in all`]),
    ...(step === null ? [] : [`${settingWords(step)} a step`]),
    ...(queue === null ? [] : [`${settingWords(queue)} of waiting`]),
  ];
}

const conflictWords = {
  queue: 'other runs wait',
  reject: 'other runs are refused',
  cancel_running: 'a new run cancels the running one',
} as const;

function concurrencyWords(job: Job): ReactNode {
  if (job.concurrency === null) return null;
  const { limit, key, on_conflict: conflict } = job.concurrency;
  return (
    <>
      {limit === 1 ? 'one' : limit}
      {key !== null && (
        <>
          {' for each '}
          <KeyWords of={key} job={job} />
        </>
      )}
      ; {conflictWords[conflict]}
    </>
  );
}

/** Shows the key of a concurrency group. If the key is a single argument, shows the title of the argument. */
function KeyWords({ of, job }: { readonly of: string; readonly job: Job }): ReactNode {
  const field = argumentFields(job.args).find(({ path }) => of === `args.${path.join('.')}`);
  if (!field?.title) return <code>{harmless(of)}</code>;
  return <span title={harmless(of)}>{harmless(field.title)}</span>;
}

const filesystemWords: Readonly<Record<PlanAnswer['security']['isolation']['filesystem'], string>> = {
  workspace: 'its own workspace; the system is read-only',
  'host-read-only': 'all files of the host, read-only',
  host: 'all files of the host',
};
