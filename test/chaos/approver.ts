// Approves every run that waits for an approval.

import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';

const pauseMs = 200;

export async function approve(url: string, ledger: Ledger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(pauseMs);
    try {
      await approveAll(url, ledger, signal);
    } catch {
      // The server is gone. The next one gets the request.
    }
  }
}

async function approveAll(url: string, ledger: Ledger, signal: AbortSignal): Promise<void> {
  const answer = await fetch(`${url}/api/v1/runs?job_id=gated&status=running`, { signal });
  const { runs } = (await answer.json()) as { runs: { run_id: string }[] };
  for (const { run_id } of runs) {
    const approval = await fetch(`${url}/api/v1/runs/${run_id}/approvals`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ step_id: 'gate', decision: 'approve' }),
      signal,
    });
    // 409: the run does not wait yet, or not any more.
    if (approval.status >= 500 && approval.status !== 503)
      ledger.refusals.push(`POST approvals answered ${approval.status}: ${await approval.text()}`);
  }
}
