// The approvals that wait for a person. A list of the questions is at the left. Beside the list, the selected question
// is shown, and what happens if it is approved. Approvals are answered one by one.

import { CircleUserRound } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { useTitle } from '../browser.ts';
import { Button } from '../design/controls/Button.tsx';
import { Segmented } from '../design/controls/Segmented.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { Elapsed, Time } from '../design/text/Time.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { failureText, useAnswer } from '../session/answers.tsx';
import { Empty, ErrorNote, Loading } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import { ApprovalPanel } from './ApprovalPanel.tsx';
import styles from './Approvals.module.css';
import { useAnswering } from './answering.ts';
import { answerWords, askerWords } from './approval-words.ts';
import { type Approval, type ApprovalList, useWaitingApprovals } from './waiting-approvals.ts';

type View = 'mine' | 'waiting' | 'answered';

const views: readonly View[] = ['mine', 'waiting', 'answered'];
const mostAnswered = 100;

export function ApprovalsPage(): ReactNode {
  useTitle('Approvals');
  const asked = new URLSearchParams(useSearch());
  const [, navigate] = useLocation();
  const view = views.find((one) => one === asked.get('view')) ?? 'mine';
  const waiting = useWaitingApprovals();
  const answered = useAnswer<ApprovalList>(['approvals', 'answered'], (client, signal) =>
    client.call('listApprovals', { query: { state: 'answered', limit: mostAnswered }, signal }),
  );
  const isNarrow = useWidth() < narrowPx;
  const open = waiting.data?.approvals ?? [];
  const mine = open.filter((one) => one.may_answer);
  const others = open.filter((one) => !one.may_answer);
  const ended = answered.data?.approvals ?? [];
  const named = asked.get('run');
  const chosen = [...open, ...ended].find((one) => one.run_id === named && one.step_id === asked.get('step'));
  const first = view === 'answered' ? ended[0] : (mine[0] ?? open[0]);
  const shown = chosen ?? (named === null && !isNarrow ? first : undefined);
  const failure = failureText(waiting) ?? failureText(answered);
  const groups: readonly (readonly [string, readonly Approval[]])[] =
    view === 'mine'
      ? [
          ['For you', mine],
          ['For others', others],
        ]
      : view === 'waiting'
        ? [['Waiting, longest first', open]]
        : [['Answered, newest first', ended]];
  return (
    <>
      <PageHeader title="Approvals" isLive={failure === null && waiting.data !== undefined}>
        <Segmented
          label="Which approvals"
          value={view}
          onChange={(next) => navigate(`/approvals${next === 'mine' ? '' : `?view=${next}`}`, { replace: true })}
          choices={[
            { value: 'mine', label: <Counted word="For you" count={mine.length} /> },
            { value: 'waiting', label: <Counted word="All waiting" count={waiting.data?.total} /> },
            { value: 'answered', label: 'Answered' },
          ]}
        />
      </PageHeader>
      {failure !== null && <ErrorNote text={failure} />}
      {!waiting.data && failure === null && <Loading what="the approvals" />}
      <div className={styles.page}>
        {(!isNarrow || !shown) && (
          <nav className={styles.list} aria-label="Approvals">
            {groups.map(([title, rows]) => (
              <Group key={title} title={title} rows={rows} view={view} shown={shown} />
            ))}
          </nav>
        )}
        {shown ? (
          <ApprovalPanel key={`${shown.run_id} ${shown.step_id}`} asked={shown} view={view} />
        ) : (
          waiting.data && !isNarrow && <Nothing isNamed={named !== null} />
        )}
      </div>
    </>
  );
}

function Counted({ word, count }: { readonly word: string; readonly count: number | undefined }): ReactNode {
  return (
    <>
      {word} {count !== undefined && <span className={styles.count}>{count}</span>}
    </>
  );
}

function Nothing({ isNamed }: { readonly isNamed: boolean }): ReactNode {
  return (
    <Empty>
      <CircleUserRound size={16} aria-hidden="true" />
      <p>
        {isNamed ? (
          'This approval no longer exists.'
        ) : (
          <>
            No step waits for an approval. Steps with <code>{'approval: {text: …}'}</code> ask their questions here.
          </>
        )}
      </p>
    </Empty>
  );
}

function Group(o: {
  readonly title: string;
  readonly rows: readonly Approval[];
  readonly view: View;
  readonly shown: Approval | undefined;
}): ReactNode {
  if (o.rows.length === 0 && o.title !== 'For you') return null;
  return (
    <section aria-label={o.title}>
      <h2 className={styles.heading}>{o.title}</h2>
      {o.rows.length === 0 ? (
        <p className={styles.quiet}>Nothing waits for you.</p>
      ) : (
        <ul>
          {o.rows.map((one) => (
            <Row key={`${one.run_id} ${one.step_id}`} one={one} view={o.view} isShown={one === o.shown} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({
  one,
  view,
  isShown,
}: {
  readonly one: Approval;
  readonly view: View;
  readonly isShown: boolean;
}): ReactNode {
  const isNarrow = useWidth() < narrowPx;
  const query = new URLSearchParams({
    ...(view !== 'mine' && { view }),
    run: one.run_id,
    step: one.step_id,
  });
  const href = `/approvals?${query}`;
  const isOpen = one.finished_at === null;
  const look = isOpen ? 'waiting_approval' : one.answer?.decision === 'approve' ? 'success' : 'failed';
  return (
    <li className={styles.item}>
      <Link href={href} data-row className={styles.row} aria-current={isShown ? 'true' : undefined}>
        <StatusIcon of={look} />
        <span className={styles.job}>
          <JobName id={one.job_id} />
        </span>
        <span className={styles.when}>
          {isOpen ? <Elapsed since={one.since} /> : <Time at={one.finished_at ?? ''} />}
        </span>
        <span className={styles.question}>{harmless(one.question ?? one.step_name)}</span>
        <span className={styles.quiet}>
          {isOpen ? `asked by ${askerWords(one)}${one.may_answer ? '' : whoWords(one)}` : answerWords(one)}
        </span>
      </Link>
      {isNarrow && isOpen && one.may_answer && <RowActions one={one} href={href} />}
    </li>
  );
}

/**
 * The buttons of a row on phones, where the list has no panel beside it. The button to deny opens the page of the
 * approval, because only that page has room for the reason.
 */
function RowActions({ one, href }: { readonly one: Approval; readonly href: string }): ReactNode {
  const { answer, isBusy, error } = useAnswering();
  const [, navigate] = useLocation();
  return (
    <div className={styles.actions}>
      <Button disabled={isBusy} aria-label={`Approve ${one.job_id}`} onClick={() => answer(one, 'approve')}>
        Approve
      </Button>
      <Button look="quiet" disabled={isBusy} aria-label={`Deny ${one.job_id}…`} onClick={() => navigate(href)}>
        Deny…
      </Button>
      {error !== null && <ErrorNote text={error} />}
    </div>
  );
}

function whoWords({ by }: Approval): string {
  return by === null ? '' : `, waits for ${by.map(harmless).join(', ')}`;
}
