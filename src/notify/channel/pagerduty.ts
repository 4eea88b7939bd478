// PagerDuty, Events API v2: a failure opens an incident for the job, and its next success resolves it. The success of a
// run that was created before the failed run does not count.
// https://developer.pagerduty.com/docs/send-alert-event

import { createHash } from 'node:crypto';
import type { Message } from '../message.ts';
import { fit } from './fitting.ts';
import { jsonRequest, type ToRequest } from './request.ts';

const mostSummaryChars = 1_024;
const mostSourceChars = 255;

export const toPagerDuty: ToRequest = ({ url, routingKey }, message) => {
  const { run, event } = message;
  const deduplicated = { routing_key: routingKey, dedup_key: keyOf(message) };
  if (event === 'fixed' || event === 'success') return jsonRequest(url, { ...deduplicated, event_action: 'resolve' });
  return jsonRequest(url, {
    ...deduplicated,
    event_action: 'trigger',
    payload: {
      summary: fit(`${message.headline}: ${message.reason}`, mostSummaryChars),
      source: fit(message.where, mostSourceChars),
      severity: message.tone === 'bad' ? 'error' : 'info',
      timestamp: message.at,
      component: fit(run.job_id, mostSourceChars),
      class: event,
      custom_details: {
        context: message.context,
        run_id: run.run_id,
        tenant: run.tenant,
        log: message.lines.join('\n'),
      },
    },
    ...(message.url !== null && { links: [{ href: message.url, text: 'Show the run' }] }),
    client: 'flwd',
  });
};

/**
 * The key of an incident. It is a hash, because PagerDuty allows 255 characters, and two long job ids could be cut to
 * the same text.
 */
function keyOf({ event, instance, run }: Message): string {
  const { tenant, job_id: jobId, run_id: runId } = run;
  const key = JSON.stringify([instance, tenant, jobId, ...(isAboutJob(event) ? [] : [event, runId])]);
  return `flwd-${createHash('sha256').update(key).digest('hex')}`;
}

/** Whether the event says that the job fails or works. All these events of a job share one incident. */
function isAboutJob(event: Message['event']): boolean {
  return event === 'failed' || event === 'still_failing' || event === 'success' || event === 'fixed';
}

/** Whether the message neither opens nor resolves an incident, because it does not say whether the job works now. */
export function changesNoIncident({ event, failures }: Message): boolean {
  return isAboutJob(event) && failures === 0;
}
