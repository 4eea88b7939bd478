// Warns in the server's log of webhooks that cannot work. Anybody can send requests to a hook, so a line is logged only
// when something has changed.

import type { Logger } from '../../lib/logger.ts';
import type { Webhook } from './webhook-parts.ts';

/** `text` is undefined when nothing is wrong. */
export type Warn = (webhook: Webhook, text: string | undefined) => void;

const mostRemembered = 10_000;

export function createWarnings(log: Logger): Warn {
  const logged = new Map<string, string>();
  return ({ id, jobId, name }, text) => {
    if (logged.get(id) === text) return;
    logged.delete(id);
    if (text === undefined) return;
    if (logged.size >= mostRemembered) logged.clear();
    logged.set(id, text);
    log.warn({ job_id: jobId, webhook: name }, text);
  };
}
