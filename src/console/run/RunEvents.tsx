// The events of a run, without its output, which is in the log.

import type { ReactNode } from 'react';
import { showValue } from '../../domain/argument-fields.ts';
import { eventTypes } from '../../domain/event.ts';
import styles from '../log/Parts.module.css';
import { useAnswer } from '../session/answers.tsx';
import { Shown } from '../widgets/Notes.tsx';
import { clockTime, fullTime, harmless, type Run } from '../words.ts';
import { eventWords } from './event-words.ts';
import { readRunEvents } from './run-events.ts';

const eventsShown = eventTypes.filter((type) => !type.endsWith('.output') && type !== 'run.progress');

export function RunEvents({ run }: { readonly run: Run }): ReactNode {
  const runId = run.run_id;
  const answer = useAnswer(['run', runId, 'events'], (client, signal) =>
    readRunEvents(client, { runId, types: eventsShown, signal }),
  );
  return (
    <Shown of={answer} what="events">
      {(events) => (
        <ol aria-label="Events" className={styles.events}>
          {events.map((event, index) => {
            const at = showValue(event.timestamp);
            const { what, why } = eventWords(event);
            return (
              <li key={index}>
                <time dateTime={at} title={fullTime(at)}>
                  {clockTime(at)}
                </time>
                <span className={styles.what}>
                  {harmless(what)}
                  {why !== '' && <span className={styles.quiet}>: {harmless(why)}</span>}
                </span>
                <code className={styles.quiet}>{showValue(event.event)}</code>
              </li>
            );
          })}
        </ol>
      )}
    </Shown>
  );
}
