// A webhook as Standard Webhooks defines it, of a job or of a channel.

import type { Message } from '../message.ts';
import { type ChannelRequest, jsonRequest, type ToRequest } from './request.ts';

export const toWebhook: ToRequest = ({ url }, message) => {
  const { headline, reason, context, lines, url: link, stepId, parts, at } = message;
  if (parts.length > 0) {
    const notifications = parts.map((part) => ({
      ...dataOf(part),
      message: { headline: part.headline, reason: part.reason, context: part.context },
    }));
    const data = { message: { headline, reason, context, url: link }, notifications };
    return { ...jsonRequest(url, { type: 'channel.digest', timestamp: at, data }), isSigned: true };
  }
  const more = {
    ...(stepId !== null && { step_id: stepId }),
    message: { headline, reason, context, log: lines, url: link },
  };
  return webhookRequest(url, { run: message.run, event: message.event, at: message.at }, more);
};

/**
 * Returns the request for a webhook. Its body is the same for each attempt. Without `more`, the body contains nothing
 * that `GET /runs/{run_id}` does not show, and no arguments, results or log lines.
 */
export function webhookRequest(
  url: string,
  { run, event, at }: Pick<Message, 'run' | 'event' | 'at'>,
  more: Readonly<Record<string, unknown>> = {},
): ChannelRequest {
  const body = {
    type: types[event] ?? 'run.finished',
    timestamp: at,
    data: { ...dataOf({ run, event }), ...more },
  };
  return { ...jsonRequest(url, body), isSigned: true };
}

function dataOf({ run, event }: Pick<Message, 'run' | 'event'>) {
  const { started_at: startedAt, finished_at: finishedAt } = run;
  return {
    run_id: run.run_id === '' ? null : run.run_id,
    job_id: run.job_id,
    tenant: run.tenant,
    event,
    status: run.run_id === '' ? null : run.status,
    reason: run.reason,
    error: run.error,
    exit_code: run.exit_code,
    cancel_requested_by: run.cancel_requested_by,
    created_at: run.created_at,
    started_at: startedAt,
    finished_at: finishedAt,
    duration_ms: startedAt === null || finishedAt === null ? null : Date.parse(finishedAt) - Date.parse(startedAt),
    labels: run.labels,
    attempt: run.attempt,
    trigger: run.run_id === '' ? null : run.trigger,
  };
}

const types: Readonly<Partial<Record<Message['event'], string>>> = {
  waiting_approval: 'run.waiting_approval',
  test: 'channel.test',
  late: 'job.late',
  missed: 'job.missed',
};
