// The column beside the log of a run: how the run differs from the last success, what it was granted, and what it left
// behind.

import { Fragment, type ReactNode } from 'react';
import { Link } from 'wouter';
import { grantText } from '../../client/grant-text.ts';
import { findLogDifference } from '../../client/log-difference.ts';
import { revisionWords } from '../../client/revision-words.ts';
import { differingArguments, haveSecrets } from '../../client/run-differences.ts';
import { spanWords, workMs } from '../../client/took.ts';
import { leftBehindWords } from '../../domain/outcome/left-behind.ts';
import { isFinished } from '../../domain/run.ts';
import { sizeWords } from '../../lib/units.ts';
import { comparePath } from '../compare/compare-path.ts';
import { Card } from '../design/text/Card.tsx';
import { Time } from '../design/text/Time.tsx';
import { stepName } from '../graph/instance-grid.ts';
import { failureText, useAnswer } from '../session/answers.tsx';
import { countWords, harmless, type Run, runPath } from '../words.ts';
import styles from './RunSide.module.css';
import { shortLists, shortWords } from './run-words.ts';

export function AgainstLastSuccess({ run, last }: { readonly run: Run; readonly last: Run }): ReactNode {
  const changed = differingArguments(last, run);
  const [was, is] = [revisionWords(last.source.revision), revisionWords(run.source.revision)];
  const [ms, lastMs] = [workMs(run), workMs(last)];
  return (
    <Card
      title="Compared with the last success"
      end={
        <Link href={runPath(last.run_id)} className={styles.link}>
          <Time at={last.created_at} />
        </Link>
      }
    >
      <Facts
        of={[
          ['Revision', <Change key="revision" was={was} is={is} />],
          [
            'Arguments',
            changed.length === 0
              ? `the same${haveSecrets(last, run) ? ', apart from secrets' : ''}`
              : changed.map(({ name, a, b }) => (
                  <div key={name} className={styles.change}>
                    <code>{harmless(name)}</code> <Change {...shortLists(a ?? '', b ?? '')} />
                  </div>
                )),
          ],
          ['Log', <LogDiffers key="log" run={run} last={last} />],
          ['Worked', ms === null || lastMs === null ? null : `${spanWords(lastMs)} → ${spanWords(ms)}`],
        ]}
      />
      <p className={styles.foot}>
        <Link href={comparePath(last.run_id, run.run_id)}>Compare the two runs</Link>
      </p>
    </Card>
  );
}

/** Compares the two logs. It has to read both, so it waits until the run has ended. */
function LogDiffers({ run, last }: { readonly run: Run; readonly last: Run }): ReactNode {
  const isOver = isFinished(run.status);
  const answer = useAnswer(
    ['log-difference', last.run_id, run.run_id],
    (client, signal) => findLogDifference(client, last, run, signal),
    { enabled: isOver, staleTime: Number.POSITIVE_INFINITY },
  );
  if (!isOver) return 'compared when the run has ended';
  if (!answer.data) return <span className={styles.comparing}>{failureText(answer) ?? 'Comparing…'}</span>;
  if (answer.data.kind === 'same') return 'the same';
  if (answer.data.kind === 'unknown') return `no difference in the first ${countWords(answer.data.lines)} lines`;
  const { stepId, b } = answer.data;
  const step = run.steps.find(({ step_id: id }) => id === stepId);
  const where = run.steps.length > 1 ? ` in ${harmless(step ? stepName(step) : stepId)}` : '';
  if (!b) return `ends earlier${where}`;
  const query = new URLSearchParams({ ...(run.steps.length > 1 && { step: stepId }), line: String(b.seq) });
  return (
    <Link href={`${runPath(run.run_id)}?${query}`} replace className={styles.line}>
      first differs at line {countWords(b.seq)}
      {where}
    </Link>
  );
}

function Change({ was, is }: { readonly was: string; readonly is: string }): ReactNode {
  if (was === is) return 'the same';
  return (
    <>
      <code title={harmless(was)}>{was === '' ? 'not given' : harmless(shortWords(was))}</code> →{' '}
      <code title={harmless(is)}>{is === '' ? 'not given' : harmless(shortWords(is))}</code>
    </>
  );
}

const filesystemWords: Readonly<Record<Run['security']['isolation']['filesystem'], string>> = {
  workspace: 'its own workspace; the system is read-only',
  'host-read-only': 'all files of the host, read-only',
  host: 'all files of the host',
};

function by(means: string): string {
  return means === 'none' ? ' (not enforced)' : '';
}

/** What the run was allowed to reach and to use. */
export function Granted({ run }: { readonly run: Run }): ReactNode {
  const { isolation, profile } = run.security;
  const { memory, cpu, pids, workspace } = run.limits;
  return (
    <Card title="Granted" count={`profile ${profile}`}>
      <Facts
        of={[
          ['User', isolation.user ?? null],
          ['Network', isolation.network === 'none' ? 'none' : 'all'],
          ['Files', filesystemWords[isolation.filesystem]],
          [
            'Grants',
            run.grants.length === 0
              ? null
              : run.grants.map((grant) => (
                  <div key={grantText(grant)}>
                    <code>{harmless(grantText(grant))}</code>
                  </div>
                )),
          ],
          ['Memory', memory ? `at most ${sizeWords(memory.bytes)}${by(memory.by)}` : null],
          ['CPU', cpu ? `at most ${cpu.cores} ${cpu.cores === 1 ? 'core' : 'cores'}${by(cpu.by)}` : null],
          ['Processes', pids ? `at most ${countWords(pids.count)}${by(pids.by)}` : null],
          ['Workspace', workspace ? `at most ${sizeWords(workspace.bytes)}${by(workspace.by)}` : null],
        ]}
      />
    </Card>
  );
}

export function LeftBehind({ run }: { readonly run: Run }): ReactNode {
  if (!run.left_behind) return null;
  const words = harmless(leftBehindWords(run.left_behind));
  return (
    <Card title="Left behind">
      <p className={styles.text}>
        {words.charAt(0).toUpperCase()}
        {words.slice(1)}.
      </p>
    </Card>
  );
}

function Facts({ of }: { readonly of: readonly (readonly [name: string, value: ReactNode])[] }): ReactNode {
  return (
    <dl className={styles.facts}>
      {of
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
