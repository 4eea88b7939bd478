// Pauses all schedules, and says above the page which pauses are in force.

import { Pause, Play } from 'lucide-react';
import { type ComponentProps, type ReactNode, useEffect, useRef, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { Button } from '../design/controls/Button.tsx';
import { Confirm } from '../design/controls/Dialog.tsx';
import { useActions } from '../session/actions.ts';
import { useRefresh } from '../session/answers.tsx';
import { ErrorNote } from '../widgets/Notes.tsx';
import { countOf } from '../words.ts';
import styles from './Pauses.module.css';
import { PauseWords, pausedWords } from './PauseWords.tsx';
import { ZoneTime } from './ZoneTime.tsx';
import { zoneOfAll } from './zone-time.ts';

type List = AnswerOf<'listSchedules'>;

export function usePausing() {
  const refresh = useRefresh();
  const { act, error } = useActions(() => {
    for (const key of ['schedules', 'fires', 'backfills', 'health']) refresh({ queryKey: [key] });
  });
  /** A button disappears when it is pressed. The button that replaces it then takes the focus. */
  const takesFocus = useRef(false);
  const change: typeof act = (ask) => {
    takesFocus.current = true;
    return act(ask);
  };
  return {
    error,
    takesFocus,
    pause: () => void change((client) => client.call('pauseSchedules', { body: {} })),
    /** Without a tenant, the request ends the pause of every tenant. */
    resume: (tenant: string) =>
      void change((client) => client.call('resumeSchedules', { body: tenant === '*' ? {} : { tenant } })),
  };
}

type Pausing = ReturnType<typeof usePausing>;

/**
 * A button that pauses all schedules. It is shown to callers who may do so, unless the schedules are already paused.
 */
export function PauseAll(o: {
  readonly of: List;
  readonly actions: Pausing;
  readonly size: 'small' | 'normal';
}): ReactNode {
  const { of, actions } = o;
  const [isAsking, setAsking] = useState(false);
  if (!of.may_pause || of.total === 0 || of.pauses.some(({ tenant }) => tenant === '*')) return null;
  return (
    <>
      <ActButton actions={actions} size={o.size} icon={Pause} onClick={() => setAsking(true)}>
        Pause all
      </ActButton>
      {isAsking && (
        <Confirm
          title="Pause all schedules?"
          text={`${schedulesWords(of.total)} resumed. Times that pass meanwhile are not caught up. Runs that have started continue, and triggers and webhooks still start runs.`}
          yes="Pause all schedules"
          no="Keep them on"
          confirm={actions.pause}
          close={() => setAsking(false)}
        />
      )}
    </>
  );
}

function schedulesWords(total: number): string {
  return total === 1
    ? 'The schedule starts no runs until it is'
    : `The ${countOf(total, 'schedule')} start no runs until they are`;
}

/** The pauses in force, above the page. */
export function Pauses({ of, actions }: { readonly of: List; readonly actions: Pausing }): ReactNode {
  return (
    <>
      {of.pauses.length > 0 && (
        <section aria-label="Paused schedules" className={styles.pauses}>
          {of.pauses.map((one) => (
            <InForce key={`${one.tenant} ${one.by_operator}`} pause={one} of={of} actions={actions} />
          ))}
        </section>
      )}
      {actions.error !== null && (
        <div className={styles.error}>
          <ErrorNote text={actions.error} />
        </div>
      )}
    </>
  );
}

function InForce(o: {
  readonly pause: List['pauses'][number];
  readonly of: List;
  readonly actions: Pausing;
}): ReactNode {
  const { pause, actions } = o;
  const [isAsking, setAsking] = useState(false);
  const held = o.of.schedules.filter((one) => one.held && (pause.tenant === '*' || one.tenant === pause.tenant)).length;
  return (
    <div className={styles.pause}>
      <Pause size={14} strokeWidth={2.2} aria-hidden="true" />
      <p>
        <PauseWords of={pause} since={(at) => <ZoneTime at={at} zone={zoneOfAll(o.of.schedules)} isNamed />} />
        {pause.by_operator && ' To resume them, remove this setting and restart the server.'}
      </p>
      {pause.may_resume && (
        <ActButton actions={actions} size="small" icon={Play} onClick={() => setAsking(true)}>
          Resume all
        </ActButton>
      )}
      {isAsking && (
        <Confirm
          title={`Resume ${pausedWords(pause).toLowerCase()}?`}
          text={`They start their jobs again at their next times. Times that have passed are not caught up.${heldWords(held)}`}
          yes="Resume them"
          no="Keep them paused"
          look="primary"
          confirm={() => actions.resume(pause.tenant)}
          close={() => setAsking(false)}
        />
      )}
    </div>
  );
}

function heldWords(count: number): string {
  if (count === 0) return '';
  return count === 1 ? ' 1 schedule stays held.' : ` ${count} schedules stay held.`;
}

/** A button that takes the focus when it replaces the button that was pressed. */
function ActButton({ actions, ...rest }: { readonly actions: Pausing } & ComponentProps<typeof Button>): ReactNode {
  const button = useRef<HTMLButtonElement>(null);
  const { takesFocus } = actions;
  useEffect(() => {
    if (takesFocus.current && document.activeElement === document.body) button.current?.focus();
    takesFocus.current = false;
  }, [takesFocus]);
  return <Button ref={button} {...rest} />;
}
