// The heartbeat of a schedule: which service is called after each success, and how the last call went.

import type { ReactNode } from 'react';
import { heartbeatState } from '../../client/heartbeat-words.ts';
import { StatusIcon, StatusText } from '../design/text/Status.tsx';
import { Age } from '../design/text/Time.tsx';
import { harmless } from '../words.ts';
import styles from './Heartbeat.module.css';
import type { Schedule } from './schedule-data.ts';
import { ZoneTime } from './ZoneTime.tsx';

type Shown = NonNullable<Schedule['heartbeat']>;

/**
 * Shows how the last call went, and then the address that is called. In a narrow line, the address is cut off first.
 */
export function HeartbeatLine({
  schedule,
  zone,
  isNarrow = false,
}: {
  readonly schedule: Schedule;
  readonly zone: string;
  /** Leaves out the address, which the panel shows. */
  readonly isNarrow?: boolean;
}): ReactNode {
  const { heartbeat } = schedule;
  if (heartbeat === null) return <span className={styles.quiet}>–</span>;
  const to = toWords(heartbeat);
  const where = !isNarrow && <span className={styles.to}>{to}</span>;
  const state = heartbeatState(heartbeat);
  if (state.kind === 'none') {
    return (
      <span className={styles.line} title={to}>
        {isNarrow ? 'Not yet' : 'Not yet called'} {where}
      </span>
    );
  }
  const time = <ZoneTime at={state.at} zone={zone} />;
  if (state.kind === 'called') {
    return (
      <span className={styles.line} title={to}>
        {isNarrow ? <StatusIcon of="success" /> : <StatusText of="success" word="Called" />} {time} {where}
      </span>
    );
  }
  const why = harmless(state.why);
  return (
    <span className={styles.line} title={`${why}\n${to}`} data-failed>
      <StatusIcon of="failed" /> {!isNarrow && <span className={styles.why}>{why}</span>} {time} {where}
    </span>
  );
}

/** The API shows only the origin of an address. */
function toWords({ origin, secret }: Shown): string {
  return harmless(origin ?? `secret ${secret}`);
}

/** The heartbeat in the panel of the schedule. */
export function HeartbeatFacts({ schedule }: { readonly schedule: Schedule }): ReactNode {
  const { heartbeat, timezone } = schedule;
  if (heartbeat === null) return null;
  const { origin, secret, last_called_at: called, next_call_at: next } = heartbeat;
  const state = heartbeatState(heartbeat);
  return (
    <>
      <p>
        {origin === null ? (
          <>
            Each success calls the address in the secret <code>{secret}</code>.
          </>
        ) : (
          <>
            Each success calls <code>{harmless(origin)}</code>.
          </>
        )}
      </p>
      {state.kind === 'failed' && (
        <p className={styles.failed}>
          The call at <ZoneTime at={state.at} zone={timezone} /> failed: {harmless(state.why)}.
        </p>
      )}
      {state.kind === 'failed' && (
        <p className={styles.quiet}>
          {next === null ? (
            'flwd calls it again after the next success.'
          ) : (
            <>
              Next try: <Age at={next} />
            </>
          )}
        </p>
      )}
      <p className={styles.quiet}>
        {state.kind === 'none' && 'Not yet called.'}
        {state.kind === 'failed' && called === null && 'No call has succeeded so far.'}
        {called !== null && (
          <>
            Last called <ZoneTime at={called} zone={timezone} />.
          </>
        )}
      </p>
    </>
  );
}
