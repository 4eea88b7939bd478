// What an event of a run means, in words.

import { spanWords } from '../../client/took.ts';
import type { triggerTypes } from '../../domain/run.ts';
import { reasonWords } from '../words.ts';
import type { RunEvent } from './run-events.ts';

const triggers: Readonly<Record<string, string>> = {
  api: 'through the API',
  cli: 'from the command line',
  console: 'in the console',
  mcp: 'through MCP',
  rerun: 'as a rerun',
  schedule: 'by a schedule',
  backfill: 'by a backfill of a schedule',
  webhook: 'by a webhook',
  job: 'by a step of another run',
  job_ended: 'after the end of another run',
  file: 'for a file',
  check: 'by a check',
} satisfies Record<(typeof triggerTypes)[number], string>;

const endings: Readonly<Record<string, string>> = {
  success: 'succeeded',
  failed: 'failed',
  cancelled: 'was cancelled',
  skipped: 'was skipped',
};

export type EventWords = { readonly what: string; readonly why: string };

/** Puts an event into words. `why` is a message of a program or of the server. */
export function eventWords(event: RunEvent): EventWords {
  const text = (name: string): string | null => (typeof event[name] === 'string' ? event[name] : null);
  const count = (name: string): number | null => (typeof event[name] === 'number' ? event[name] : null);
  const by = text('by');
  const step = text('step_id') ?? 'The step';
  const [tookMs, waitedMs, attempt] = [count('duration_ms'), count('waited_ms'), count('attempt') ?? 1];
  const ended = endings[text('status') ?? ''] ?? 'ended';
  const why = text('message') ?? reasonWords(text('reason'));
  const nth = attempt > 1 ? `, attempt ${attempt}` : '';
  switch (event.event) {
    case 'run.created':
      return { what: `The run was created ${triggers[text('trigger') ?? ''] ?? ''}`.trim(), why };
    case 'run.started':
      return {
        what: `The run started${waitedMs === null ? '' : `, ${spanWords(waitedMs)} after it was created`}`,
        why,
      };
    case 'run.waiting':
      return { what: 'The run waits', why };
    case 'run.cancelling':
      // The server also reports each signal that it sends in such an event.
      if (text('signal') !== null) return { what: `The server ${why}`, why: '' };
      return { what: `The run was asked to stop${by === null ? '' : ` by ${by.replace('run:', '')}`}`, why };
    case 'run.finished':
      return { what: `The run ${ended}${tookMs === null ? '' : ` after ${spanWords(tookMs)}`}`, why };
    case 'step.started':
      return { what: `${step} started${nth}`, why };
    case 'step.finished':
      return { what: `${step} ${ended}${nth}`, why };
    case 'step.waiting_approval':
      return { what: `${step} waits for an approval`, why };
    case 'step.skipped':
      return { what: `${step} was skipped`, why };
    case 'step.retrying':
      return { what: `${step} will be tried again${nth}`, why };
    default:
      return { what: String(event.event).replace('.', ' '), why };
  }
}
