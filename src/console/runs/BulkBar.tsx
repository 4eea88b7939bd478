// The actions on the selected runs: run them again, retry what failed, compare two, or cancel.

import { CircleStop, GitCompareArrows, ListRestart, RotateCcw } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { errorText } from '../../client/error-words.ts';
import { isFinished } from '../../domain/run.ts';
import { comparePath } from '../compare/compare-path.ts';
import { Button, ButtonLink } from '../design/controls/Button.tsx';
import { Confirm } from '../design/controls/Dialog.tsx';
import { Kbd } from '../design/text/Kbd.tsx';
import { useRequestKeys } from '../session/request-keys.ts';
import { useScopes } from '../session/scopes.ts';
import { useClient } from '../session/session.tsx';
import type { RunRow } from '../words.ts';
import styles from './RunsPage.module.css';

const atOnce = 3;

export function BulkBar(o: {
  readonly rows: readonly RunRow[];
  readonly chosen: ReadonlySet<string>;
  readonly choose: (runIds: readonly string[], isChosen: boolean) => void;
  /** Resolves as soon as the server has begun to cancel the run. */
  readonly cancel: (runId: string) => Promise<void>;
}): ReactNode {
  const mayChange = useScopes()('runs:write');
  const { note, isBusy, each } = useEach((runId) => o.choose([runId], false));
  const { rerun, rerunAt, forget } = useReruns(each);
  const [isAsking, setAsking] = useState(false);
  const chosen = o.rows.filter(({ run_id: id }) => o.chosen.has(id));
  const open = idsOf(chosen.filter(({ status }) => !isFinished(status)));
  const over = idsOf(chosen.filter(({ status }) => isFinished(status)));
  const failed = idsOf(chosen.filter(({ status }) => status === 'failed'));
  const clear = (): void => {
    forget();
    o.choose([...o.chosen], false);
  };
  const cancel = (): void => {
    forget();
    void each({ doing: 'Cancelling', done: 'Cancelled' }, open, o.cancel);
  };
  const [a, b] = chosen.toSorted((one, other) => one.created_at.localeCompare(other.created_at));
  if (chosen.length === 0 && note === null) return null;
  return (
    <section className={styles.bar} aria-label="Chosen runs">
      {chosen.length > 0 && <span role="status">{chosen.length} chosen</span>}
      {mayChange && over.length > 0 && (
        <Button icon={RotateCcw} disabled={isBusy} onClick={() => rerun(over, 'start')}>
          Run again
        </Button>
      )}
      {mayChange && failed.length > 0 && (
        <Button icon={ListRestart} disabled={isBusy} onClick={() => rerun(failed, 'failed')}>
          Retry failed steps
        </Button>
      )}
      {a && b && chosen.length === 2 && (
        <ButtonLink icon={GitCompareArrows} href={comparePath(a.run_id, b.run_id)}>
          Compare
        </ButtonLink>
      )}
      {mayChange && open.length > 0 && (
        <Button icon={CircleStop} look="danger" disabled={isBusy} onClick={() => setAsking(true)}>
          Cancel {open.length === 1 ? 'the run' : `${open.length} runs`}
        </Button>
      )}
      {note !== null && <span role="status">{note}</span>}
      {rerunAt !== null && !isBusy && (
        <Link href={`/runs?q=${encodeURIComponent(`since:${rerunAt}`)}`} className={styles.link}>
          Show the new runs
        </Link>
      )}
      {chosen.length > 0 && (
        <Button look="quiet" data-key="Escape" onClick={clear}>
          Clear{' '}
          <span aria-hidden="true">
            <Kbd>Esc</Kbd>
          </span>
        </Button>
      )}
      {isAsking && (
        <Confirm
          title={open.length === 1 ? 'Cancel this run?' : `Cancel ${open.length} runs?`}
          text="The server asks their processes to stop, and kills them when the grace period is over."
          yes={open.length === 1 ? 'Cancel the run' : 'Cancel the runs'}
          no="Keep running"
          confirm={cancel}
          close={() => setAsking(false)}
        />
      )}
    </section>
  );
}

function idsOf(rows: readonly RunRow[]): readonly string[] {
  return rows.map(({ run_id: id }) => id);
}

type Each = ReturnType<typeof useEach>['each'];

function useReruns(each: Each) {
  const client = useClient();
  const once = useRequestKeys();
  /** When the first of the new runs was created. */
  const [rerunAt, setRerunAt] = useState<string | null>(null);
  const forget = (): void => setRerunAt(null);
  const rerun = (ids: readonly string[], from: 'start' | 'failed'): void => {
    forget();
    void each({ doing: 'Starting', done: 'Started' }, ids, async (runId) => {
      const { created_at: at } = await once(`${runId} ${from}`, (headers) =>
        client.call('rerunRun', { path: { run_id: runId }, body: { from }, headers }),
      );
      setRerunAt((first) => (first === null || at < first ? at : first));
    });
  };
  return { rerun, rerunAt, forget };
}

type Words = { readonly doing: string; readonly done: string };

/**
 * Performs an action on several runs, a few at a time, and reports progress. @param done - called with each run that
 * succeeded
 */
function useEach(done: (runId: string) => void) {
  const [note, setNote] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  async function each(words: Words, ids: readonly string[], act: (runId: string) => Promise<unknown>): Promise<void> {
    setBusy(true);
    const errors: string[] = [];
    const left = [...ids];
    const work = async (): Promise<void> => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        setNote(`${words.doing}: ${left.length} of ${ids.length} left…`);
        try {
          await act(id);
          done(id);
        } catch (error) {
          errors.push(`${id}: ${errorText(error)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    setNote([`${words.done}: ${ids.length - errors.length} of ${ids.length}.`, ...errors].join(' '));
    setBusy(false);
  }
  return { note, isBusy, each };
}
