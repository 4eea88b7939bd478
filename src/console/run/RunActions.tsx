// What a user can do with a run. The most likely action has a button of its own, and a menu beside it has the others.

import { ChevronDown, CircleStop, GitCompareArrows, ListRestart, RotateCcw, SquarePen } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useLocation } from 'wouter';
import { isFinished } from '../../domain/run.ts';
import { comparePath } from '../compare/compare-path.ts';
import { Button, ButtonGroup, ButtonLink, IconButton } from '../design/controls/Button.tsx';
import { Confirm, Dialog } from '../design/controls/Dialog.tsx';
import { Menu, type MenuEntry } from '../design/controls/Menu.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useJob } from '../jobs/catalog.ts';
import type { Actions } from '../session/actions.ts';
import { isLoading } from '../session/answers.tsx';
import { useRequestKeys } from '../session/request-keys.ts';
import { useScopes } from '../session/scopes.ts';
import { jobPath, type Run, runPath } from '../words.ts';
import type { Cancels } from './cancels.ts';
import styles from './RunActions.module.css';

export function RunActions(o: {
  readonly run: Run;
  /** The run to compare this one with; null: there is no such run; undefined: not known yet. */
  readonly lastSuccess: Run | null | undefined;
  readonly actions: Actions;
  readonly cancels: Cancels;
}): ReactNode {
  const { run, lastSuccess } = o;
  const may = useScopes();
  if (may('runs:write') !== true) return null;
  if (!isFinished(run.status)) return <LiveActions run={run} cancels={o.cancels} />;
  const compareHref = lastSuccess ? comparePath(lastSuccess.run_id, run.run_id) : null;
  return <EndedActions run={run} compareHref={compareHref} actions={o.actions} />;
}

function LiveActions({ run, cancels }: { readonly run: Run; readonly cancels: Cancels }): ReactNode {
  const [isAsking, setAsking] = useState(false);
  const { isAsked, isKilling, kill, cancel } = cancels;
  return (
    <>
      <ButtonLink look="quiet" icon={SquarePen} href={`${jobPath(run.job_id)}?from=${encodeURIComponent(run.run_id)}`}>
        Run again with changes
      </ButtonLink>
      <span className={styles.first}>
        {run.cancel_requested_at === null ? (
          <Button key="cancel" look="danger" icon={CircleStop} disabled={isAsked} onClick={() => setAsking(true)}>
            Cancel
          </Button>
        ) : (
          <Button key="kill" look="danger" icon={CircleStop} disabled={isKilling} onClick={kill}>
            Kill now
          </Button>
        )}
      </span>
      {isAsking && (
        <Confirm
          title="Cancel this run?"
          text="The server asks its processes to stop, and kills them when the grace period is over."
          yes="Cancel the run"
          no="Keep running"
          confirm={cancel}
          close={() => setAsking(false)}
        />
      )}
    </>
  );
}

type RerunFrom = 'start' | 'failed' | { readonly step: string };

function EndedActions({
  run,
  compareHref,
  actions,
}: {
  readonly run: Run;
  /** null: there is no other run to compare it with. */
  readonly compareHref: string | null;
  readonly actions: Actions;
}): ReactNode {
  const { act, isBusy } = actions;
  const [, navigate] = useLocation();
  const once = useRequestKeys();
  const [isChoosing, setChoosing] = useState(false);
  const isNarrow = useWidth() < narrowPx;
  const { isChanged, isUnknown } = useNewest(run);
  const path = { run_id: run.run_id };
  const again = (from: RerunFrom, revision?: 'latest'): void =>
    void act(async (client) => {
      const body = { from, ...(revision && { revision }) };
      const { run_id: runId } = await once(JSON.stringify({ path, body }), (headers) =>
        client.call('rerunRun', { path, body, headers }),
      );
      navigate(runPath(runId));
    });
  const hasSteps = run.steps.length > 1;
  const canRetry = run.status === 'failed' && hasSteps;
  const others: MenuEntry[] = [
    ...(isChanged ? [{ label: 'Run again as it was', icon: RotateCcw, act: () => again('start') }] : []),
    {
      label: 'Run again with changes',
      icon: SquarePen,
      href: `${jobPath(run.job_id)}?rerun=${encodeURIComponent(run.run_id)}`,
    },
    ...(hasSteps ? [{ label: 'Run again from a step…', icon: ListRestart, act: () => setChoosing(true) }] : []),
    ...(isNarrow && compareHref !== null ? [{ label: 'Compare', icon: GitCompareArrows, href: compareHref }] : []),
  ];
  return (
    <>
      {compareHref !== null && <Compare href={compareHref} />}
      <ButtonGroup label="Run again">
        <Button
          look={canRetry ? 'outlined' : 'primary'}
          icon={RotateCcw}
          disabled={isBusy || isUnknown}
          onClick={() => again('start', isChanged ? 'latest' : undefined)}
        >
          {isChanged ? 'Run newest revision' : 'Run again'}
        </Button>
        <Menu
          trigger={
            <IconButton
              icon={ChevronDown}
              label="Other ways to run it again"
              look={canRetry ? 'outlined' : 'primary'}
            />
          }
          entries={others}
        />
      </ButtonGroup>
      {canRetry && (
        <span className={styles.first}>
          <Button look="primary" icon={ListRestart} disabled={isBusy} onClick={() => again('failed')}>
            Retry failed steps
          </Button>
        </span>
      )}
      {isChoosing && (
        <ChooseStep
          run={run}
          close={() => setChoosing(false)}
          choose={(step) => {
            setChoosing(false);
            again({ step });
          }}
        />
      )}
    </>
  );
}

/** Whether the job has changed since this run. `isUnknown` is true only while the job is read for the first time. */
function useNewest(run: Run): { readonly isChanged: boolean; readonly isUnknown: boolean } {
  const job = useJob(run.job_id);
  const newest = job.data?.read?.value.revision;
  return { isChanged: newest !== undefined && newest !== run.source.revision, isUnknown: isLoading(job) };
}

/** A button to compare the run. On phones it is in the menu. */
function Compare({ href }: { readonly href: string }): ReactNode {
  return (
    <span className={styles.wide}>
      <ButtonLink look="quiet" icon={GitCompareArrows} href={href}>
        Compare
      </ButtonLink>
    </span>
  );
}

function ChooseStep(o: {
  readonly run: Run;
  readonly close: () => void;
  readonly choose: (step: string) => void;
}): ReactNode {
  const steps = o.run.steps.filter((step) => step.instance_of === null);
  return (
    <Dialog title="Run again from which step?" close={o.close}>
      <p>This step and the steps that need it run again. The outputs of the other steps are kept.</p>
      <ul className={styles.choices}>
        {steps.map(({ step_id: id }) => (
          <li key={id}>
            <Button look="quiet" onClick={() => o.choose(id)}>
              {id}
            </Button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
