// What can be done with several runs of a list at once.

import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { errorText } from '../../client/error-words.ts';
import { isFinished } from '../../domain/run.ts';
import { useRequestKeys } from '../session/request-keys.ts';
import { useScopes } from '../session/scopes.tsx';
import { useClient } from '../session/session.tsx';
import { Confirm } from '../widgets/Dialog.tsx';
import type { RunRows } from './run-rows.ts';

const atOnce = 3;

export function Bulk(o: {
  readonly rows: RunRows;
  readonly chosen: ReadonlySet<string>;
  readonly choose: (runIds: readonly string[], isChosen: boolean) => void;
  /** Cancels one, and waits no longer than until it is told that it is being cancelled. */
  readonly cancel: (runId: string) => Promise<void>;
}): ReactNode {
  const client = useClient();
  const mayChange = useScopes()('runs:write');
  const once = useRequestKeys();
  const { note, isBusy, each } = useEach((runId) => o.choose([runId], false));
  /** When the first of those that were begun again was made. */
  const [begunAt, setBegunAt] = useState<string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const { rows, total } = o.rows;
  const chosen = mayChange ? rows.filter(({ run_id: id }) => o.chosen.has(id)) : [];
  const open = chosen.filter(({ status }) => !isFinished(status));
  const over = chosen.filter(({ status }) => isFinished(status));
  const idsOf = (of: typeof chosen): string[] => of.map(({ run_id: id }) => id);
  const cancel = (): void => {
    setBegunAt(null);
    void each({ doing: 'Cancelling', done: 'Told to end' }, idsOf(open), o.cancel);
  };
  const rerun = (): void => {
    setBegunAt(null);
    void each({ doing: 'Running again', done: 'Run again' }, idsOf(over), async (runId) => {
      const { created_at: at } = await once(runId, (headers) =>
        client.call('rerunRun', { path: { run_id: runId }, body: {}, headers }),
      );
      setBegunAt((first) => (first === null || at < first ? at : first));
    });
  };
  return (
    <div className="actions bulk">
      <span className="quiet" role="status">
        {total.toLocaleString('en')} {total === 1 ? 'run' : 'runs'}
        {chosen.length > 0 && `, ${chosen.length} chosen`}
      </span>
      {mayChange && chosen.length < rows.length && (
        <button type="button" onClick={() => o.choose(idsOf([...rows]), true)}>
          Choose {rows.length < total ? `the ${rows.length} shown` : 'all'}
        </button>
      )}
      {chosen.length > 0 && (
        <button type="button" onClick={() => o.choose(idsOf(chosen), false)}>
          Choose none
        </button>
      )}
      {open.length > 0 && (
        <button type="button" className="danger" disabled={isBusy} onClick={() => setAsking(true)}>
          Cancel {open.length}
        </button>
      )}
      {over.length > 0 && (
        <button type="button" disabled={isBusy} onClick={rerun}>
          Rerun {over.length}
        </button>
      )}
      {note !== null && <span role="status">{note}</span>}
      {begunAt !== null && !isBusy && <Link href={`/runs?q=${encodeURIComponent(`since:${begunAt}`)}`}>Show them</Link>}
      {isAsking && (
        <Confirm
          title={open.length === 1 ? 'Cancel one run?' : `Cancel ${open.length} runs?`}
          text="Their processes are told to end, and killed once their grace period is over."
          yes={`Cancel ${open.length === 1 ? 'the run' : 'the runs'}`}
          no={`Leave ${open.length === 1 ? 'it' : 'them'}`}
          confirm={cancel}
          close={() => setAsking(false)}
        />
      )}
    </div>
  );
}

type Words = { readonly doing: string; readonly done: string };

/** Does something with several runs, a few at once, and says how far that is. @param done leaves a run that it is done with */
function useEach(done: (runId: string) => void) {
  const [note, setNote] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  async function each(words: Words, ids: readonly string[], act: (runId: string) => Promise<unknown>): Promise<void> {
    setBusy(true);
    const errors: string[] = [];
    const left = [...ids];
    const work = async (): Promise<void> => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        setNote(`${words.doing}: ${left.length} of ${ids.length} to come…`);
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
