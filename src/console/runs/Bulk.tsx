// The actions on several selected runs of a list.

import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { errorText } from '../../client/error-words.ts';
import { isFinished } from '../../domain/run.ts';
import { useRequestKeys } from '../session/request-keys.ts';
import { useScopes } from '../session/scopes.ts';
import { useClient } from '../session/session.tsx';
import { Confirm } from '../widgets/Dialog.tsx';
import type { RunRows } from './run-rows.ts';

const atOnce = 3;

export function Bulk(o: {
  readonly rows: RunRows;
  readonly chosen: ReadonlySet<string>;
  readonly choose: (runIds: readonly string[], isChosen: boolean) => void;
  /** Resolves as soon as the run is being cancelled. */
  readonly cancel: (runId: string) => Promise<void>;
}): ReactNode {
  const client = useClient();
  const mayChange = useScopes()('runs:write');
  const once = useRequestKeys();
  const { note, isBusy, each } = useEach((runId) => o.choose([runId], false));
  /** When the first of the reruns was created. */
  const [rerunAt, setRerunAt] = useState<string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const { rows, total } = o.rows;
  const chosen = mayChange ? rows.filter(({ run_id: id }) => o.chosen.has(id)) : [];
  const open = chosen.filter(({ status }) => !isFinished(status));
  const over = chosen.filter(({ status }) => isFinished(status));
  const idsOf = (of: typeof chosen): string[] => of.map(({ run_id: id }) => id);
  const cancel = (): void => {
    setRerunAt(null);
    void each({ doing: 'Cancelling', done: 'Cancelled' }, idsOf(open), o.cancel);
  };
  const rerun = (): void => {
    setRerunAt(null);
    void each({ doing: 'Rerunning', done: 'Rerun' }, idsOf(over), async (runId) => {
      const { created_at: at } = await once(runId, (headers) =>
        client.call('rerunRun', { path: { run_id: runId }, body: {}, headers }),
      );
      setRerunAt((first) => (first === null || at < first ? at : first));
    });
  };
  return (
    <div className="actions bulk">
      <span className="quiet" role="status">
        {total.toLocaleString('en')} {total === 1 ? 'run' : 'runs'}
        {chosen.length > 0 && `, ${chosen.length} selected`}
      </span>
      {mayChange && chosen.length < rows.length && (
        <button type="button" onClick={() => o.choose(idsOf([...rows]), true)}>
          Select {rows.length < total ? `the ${rows.length} shown` : 'all'}
        </button>
      )}
      {chosen.length > 0 && (
        <button type="button" onClick={() => o.choose(idsOf(chosen), false)}>
          Clear selection
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
      {rerunAt !== null && !isBusy && (
        <Link href={`/runs?q=${encodeURIComponent(`since:${rerunAt}`)}`}>Show the new runs</Link>
      )}
      {isAsking && (
        <Confirm
          title={open.length === 1 ? 'Cancel 1 run?' : `Cancel ${open.length} runs?`}
          text="The server asks their processes to stop, and kills them when the grace period is over."
          yes={`Cancel ${open.length === 1 ? 'the run' : 'the runs'}`}
          no="Keep running"
          confirm={cancel}
          close={() => setAsking(false)}
        />
      )}
    </div>
  );
}

type Words = { readonly doing: string; readonly done: string };

/** Acts on several runs, a few at a time, and reports progress. @param done is called with each run that succeeded */
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
