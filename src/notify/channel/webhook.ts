// A webhook as Standard Webhooks defines it, of a job or of a channel.

import type { NotifyEvent } from '../../domain/notification.ts';
import type { Run } from '../../domain/run.ts';
import { type ChannelRequest, jsonRequest, type ToRequest } from './request.ts';

export const toWebhook: ToRequest = ({ url }, message) => {
  const { headline, reason, lines, url: link, stepId } = message;
  const more = { ...(stepId !== null && { step_id: stepId }), message: { headline, reason, log: lines, url: link } };
  return webhookRequest(url, { run: message.run, event: message.event, at: message.at }, more);
};

/**
 * The same text each time. Without `more`, it contains nothing that `GET /runs/{run_id}` does not show, and neither
 * arguments, results nor log lines.
 */
export function webhookRequest(
  url: string,
  { run, event, at }: { readonly run: Run; readonly event: NotifyEvent | 'test'; readonly at: string },
  more: Readonly<Record<string, unknown>> = {},
): ChannelRequest {
  const { started_at: startedAt, finished_at: finishedAt } = run;
  const body = {
    type: types[event] ?? 'run.finished',
    timestamp: at,
    data: {
      run_id: run.run_id,
      job_id: run.job_id,
      tenant: run.tenant,
      event,
      status: run.status,
      reason: run.reason,
      error: run.error,
      exit_code: run.exit_code,
      created_at: run.created_at,
      started_at: startedAt,
      finished_at: finishedAt,
      duration_ms: startedAt === null || finishedAt === null ? null : Date.parse(finishedAt) - Date.parse(startedAt),
      labels: run.labels,
      attempt: run.attempt,
      trigger: run.trigger,
      ...more,
    },
  };
  return { ...jsonRequest(url, body), isSigned: true };
}

const types: Readonly<Partial<Record<NotifyEvent | 'test', string>>> = {
  waiting_approval: 'run.waiting_approval',
  test: 'channel.test',
};
