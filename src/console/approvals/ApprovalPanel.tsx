// One approval: the question, the answer or the form for it, how far the run is, and what approving does.

import {
  CornerLeftUp,
  FilePen,
  FileSearch,
  FileText,
  GitBranch,
  Globe,
  KeyRound,
  ListVideo,
  type LucideIcon,
  Workflow,
} from 'lucide-react';
import { Fragment, type ReactNode } from 'react';
import { Link } from 'wouter';
import { artifactNames } from '../../client/artifact-places.ts';
import { spanWords, tookMs } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { sizeWords } from '../../lib/units.ts';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Card } from '../design/text/Card.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { Pending } from '../design/text/Pending.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { Age, Time } from '../design/text/Time.tsx';
import { failureText, isLoading, useAnswer } from '../session/answers.tsx';
import { ErrorNote } from '../widgets/Notes.tsx';
import { dayTimeWords, exactTime, harmless, jobPath, originWords, type Run, runPath, type Step } from '../words.ts';
import { AnswerForm } from './AnswerForm.tsx';
import styles from './Approvals.module.css';
import { answerWords } from './approval-words.ts';
import type { Approval } from './waiting-approvals.ts';

export function ApprovalPanel({ asked, view }: { readonly asked: Approval; readonly view: string }): ReactNode {
  const { run_id: runId } = asked;
  const answer = useAnswer(['approvals', 'run', runId], async (client, signal) => {
    const [run, { artifacts }, job] = await Promise.all([
      client.call('getRun', { path: { run_id: runId }, signal }),
      client.call('listArtifacts', { query: { run_id: runId, limit: 50 }, signal }).catch(() => ({ artifacts: [] })),
      client.call('getJob', { path: { job_id: asked.job_id }, signal }).catch(() => null),
    ]);
    return { run, artifacts, job };
  });
  const failure = failureText(answer);
  const { run, artifacts = [], job = null } = answer.data ?? {};
  const names = artifactNames(artifacts);
  return (
    <section className={styles.panel} aria-label="Approval">
      <p className={styles.back}>
        <Link href={view === 'mine' ? '/approvals' : `/approvals?view=${view}`}>All approvals</Link>
      </p>
      <p className={styles.line}>
        <Link href={runPath(runId)} className={styles.runLink}>
          <JobName id={asked.job_id} />
        </Link>
        <Time at={asked.run_created_at} />
        <code title={runId}>{`${runId.slice(0, 8)}…${runId.slice(-8)}`}</code>
        <CopyButton text={runId} label="Copy the id of the run" />
      </p>
      <h2 className={styles.asking}>{harmless(asked.question ?? asked.step_name)}</h2>
      <p className={styles.line}>
        <span>
          Asked {originWords(asked)} <Age at={asked.since} />.
        </span>
        {asked.nominal_at !== null && (
          <span>
            The run is for{' '}
            <time dateTime={asked.nominal_at} title={exactTime(asked.nominal_at)}>
              {dayTimeWords(asked.nominal_at)}
            </time>
            .
          </span>
        )}
        {asked.deadline !== null && (
          <span>
            If nobody answers, the step fails <Time at={asked.deadline} />.
          </span>
        )}
      </p>
      <div className={styles.answer} data-answered={asked.finished_at !== null || undefined}>
        {asked.finished_at === null ? (
          <AnswerForm asked={asked} />
        ) : (
          <p role="status">
            <StatusIcon of={asked.answer?.decision === 'approve' ? 'success' : 'failed'} />{' '}
            {asked.answer ? 'It was ' : 'The approval has ended: '}
            {answerWords(asked)}, <Time at={asked.finished_at} />.
          </p>
        )}
      </div>
      {failure !== null && <ErrorNote text={failure} />}
      {isLoading(answer) && <Reserved />}
      {run && <Progress run={run} stepId={asked.step_id} />}
      {run && <Effects run={run} job={job} stepId={asked.step_id} />}
      {artifacts.length > 0 && (
        <Card title="Files so far" count={String(artifacts.length)}>
          <ul className={styles.files}>
            {artifacts.map((one) => (
              <li key={one.id}>
                <FileText size={14} aria-hidden="true" />
                <Link href={`${runPath(runId)}?tab=artifacts`}>{harmless(names.get(one.id) ?? one.name)}</Link>
                <span className={styles.quiet}>{sizeWords(one.size_bytes)}</span>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </section>
  );
}

/**
 * Reserves the space of the cards until the run has been read, so that the panel does not look complete before then.
 */
function Reserved(): ReactNode {
  return (
    <>
      <Card title="Progress">
        <ol className={styles.steps}>
          {[1, 2, 3].map((step) => (
            <li key={step} className={styles.step}>
              <span>
                <Pending />
              </span>
              <span className={styles.quiet}>
                <Pending />
              </span>
            </li>
          ))}
        </ol>
      </Card>
      <Card title="What approving does">
        <dl className={styles.effects}>
          {['Runs', 'With', 'Writes', 'Reads', 'Network', 'Revision'].map((name) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <Pending />
              </dd>
            </div>
          ))}
        </dl>
      </Card>
    </>
  );
}

/** Shows the steps in the order of the job. Beside a step with instances is their number. */
function Progress({ run, stepId }: { readonly run: Run; readonly stepId: string }): ReactNode {
  const steps = run.steps.filter(({ instance_of: of }) => of === null);
  return (
    <Card
      title="Progress"
      count={`${steps.filter(({ finished_at: at }) => at !== null).length} of ${steps.length} steps`}
    >
      <ol className={styles.steps}>
        {steps.map((step) => {
          const instances = run.steps.filter(({ instance_of: of }) => of === step.step_id).length;
          return (
            <li key={step.step_id} className={styles.step} data-asking={step.step_id === stepId || undefined}>
              <span>
                <StatusIcon of={step.status} /> {harmless(step.step_id)}
                {instances > 0 && ` ×${instances}`}
              </span>
              <span className={styles.quiet}>{tookWords(step)}</span>
            </li>
          );
        })}
      </ol>
    </Card>
  );
}

function tookWords(step: Step): string {
  if (step.started_at === null) return step.status === 'skipped' ? 'skipped' : 'to come';
  const ms = tookMs(step);
  return ms === null ? 'now' : spanWords(ms);
}

type Job = AnswerOf<'getJob'>;

function Effects(o: { readonly run: Run; readonly job: Job | null; readonly stepId: string }): ReactNode {
  const { run, job, stepId } = o;
  const after = stepsAfter(run.steps, stepId);
  const starting = startingSteps(run, job, after);
  const paths = (kind: 'read' | 'write') =>
    run.grants.flatMap((one) => (one.kind === kind && one.path ? [one.path] : []));
  const { network } = run.security.isolation;
  const args = Object.entries(run.args).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const secrets = Object.entries(run.args).flatMap(([name, value]) => (value === '[redacted]' ? [name] : []));
  return (
    <Card title="What approving does">
      <dl className={styles.effects}>
        <Effect icon={ListVideo} name="Runs" values={after.map(({ step_id: id }) => id)} isEmpty="no further step" />
        <Effect icon={FileText} name="With" values={args} isEmpty="no arguments" />
        <Effect icon={FilePen} name="Writes" values={paths('write')} isEmpty="nothing but its workspace" />
        <Effect icon={FileSearch} name="Reads" values={paths('read')} isEmpty="nothing outside its workspace" />
        <Effect icon={Globe} name="Network" values={[]} isEmpty={network === 'none' ? 'none' : 'everything'} />
        {starting.length > 0 && <Starts steps={starting} />}
        {run.parent && (
          <Row icon={CornerLeftUp} name="Then">
            <Link href={runPath(run.parent.run_id)}>the run that started it</Link> continues, with the permissions of
            its job
          </Row>
        )}
        {secrets.length > 0 && <Effect icon={KeyRound} name="Secrets" values={secrets} isEmpty="" />}
        <Effect
          icon={GitBranch}
          name="Revision"
          values={[run.source.revision.replace(/^sha256:/, '').slice(0, 12)]}
          isEmpty=""
        />
      </dl>
    </Card>
  );
}

/** The steps that cannot start before this one has ended. */
function stepsAfter(steps: readonly Step[], stepId: string): readonly Step[] {
  const after = new Set([stepId]);
  for (let size = 0; size !== after.size; ) {
    size = after.size;
    for (const step of steps) if (step.needs.some((id) => after.has(id))) after.add(step.step_id);
  }
  return steps.filter((step) => step.step_id !== stepId && after.has(step.step_id) && step.instance_of === null);
}

type StartingStep = { readonly stepId: string /** null: unknown. */; readonly jobId: string | null };

/**
 * The steps that start other jobs. If the job has changed since the run began, it is not known which jobs its steps
 * start. In that case a step that will have instances is included too, because its instances may start jobs.
 */
function startingSteps(run: Run, job: Job | null, after: readonly Step[]): readonly StartingStep[] {
  const written = job?.revision === run.source.revision ? job.steps : null;
  return after.flatMap(({ step_id: stepId, kind }): StartingStep[] => {
    if (written === null) return kind === 'job' || kind === 'group' ? [{ stepId, jobId: null }] : [];
    const jobId = written.find((step) => step.step_id === stepId)?.job ?? null;
    return jobId === null ? [] : [{ stepId, jobId }];
  });
}

/** Lists the jobs that the run may start. Their permissions are not shown, because each job has its own. */
function Starts({ steps }: { readonly steps: readonly StartingStep[] }): ReactNode {
  const jobIds = [...new Set(steps.flatMap(({ jobId }) => (jobId === null ? [] : [jobId])))];
  const unnamed = steps.flatMap(({ stepId, jobId }) => (jobId === null ? [stepId] : []));
  return (
    <Row icon={Workflow} name="Starts">
      {jobIds.map((id, at) => (
        <Fragment key={id}>
          {at > 0 && ', '}
          <Link href={jobPath(id)}>{harmless(id)}</Link>
        </Fragment>
      ))}
      {unnamed.length > 0 && (
        <>
          possibly other jobs, in <Codes of={unnamed} />
        </>
      )}
      . These jobs have their own permissions, which are not listed here.
    </Row>
  );
}

function Effect(o: {
  readonly icon: LucideIcon;
  readonly name: string;
  readonly values: readonly string[];
  readonly isEmpty: string;
}): ReactNode {
  return (
    <Row icon={o.icon} name={o.name}>
      {o.values.length === 0 ? o.isEmpty : <Codes of={o.values} />}
    </Row>
  );
}

function Row(o: { readonly icon: LucideIcon; readonly name: string; readonly children: ReactNode }): ReactNode {
  return (
    <div>
      <dt>
        <o.icon size={14} aria-hidden="true" /> {o.name}
      </dt>
      <dd>{o.children}</dd>
    </div>
  );
}

function Codes({ of }: { readonly of: readonly string[] }): ReactNode {
  return of.map((value, at) => (
    <Fragment key={value}>
      {at > 0 && ', '}
      <code>{harmless(value)}</code>
    </Fragment>
  ));
}
