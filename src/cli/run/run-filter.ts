// The options that choose runs, for `flwd runs` and `flwd cancel`.

import { triggerTypes } from '../../domain/run.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { readChoice, readInstant, readValue } from '../option-values.ts';

/** The query of the list of runs, without a status. @throws Refusal */
export function readRunFilter(options: Options) {
  const job = readValue(options, 'job');
  return defined({
    ...(job?.endsWith('/') ? { prefix: job.slice(0, -1) } : { job_id: job }),
    since: readInstant(options, 'since'),
    until: readInstant(options, 'until'),
    label: readValue(options, 'label'),
    not_label: readValue(options, 'not-label'),
    created_by: readValue(options, 'by'),
    q: readValue(options, 'search'),
    tenant: readValue(options, 'tenant'),
    trigger: readChoice(options, 'trigger', triggerTypes),
    top_level: options.has('top-level') || undefined,
  });
}
