// Waits for the run of a tool's call. Meanwhile, tells the client how far the run is. If the client cancels the call,
// cancels the run.

import { type CallToolResult, SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';
import { ApiProblem, ServerUnreachable } from '../client/api-problem.ts';
import { readTraceParent, toTraceTexts } from '../domain/trigger/trace.ts';
import { oneLine, plainText } from '../lib/plain-text.ts';
import { errorWords, type Instance, type Job, newKey } from './instance.ts';
import { answerRun } from './run-answer.ts';

/** How often to send progress even if the job reports nothing, because clients end a call that sends nothing. */
const heartbeatMs = 10_000;
/** How long the server may be unreachable before the call ends. A restart of the server takes less time. */
const lostMs = 5_000;
const mostMessageChars = 200;
/** The words for an event that has no message of its own. */
const said: Readonly<Record<string, string>> = {
  'run.started': 'started',
  'run.waiting': 'waits',
  'run.progress': 'works',
  'step.started': 'started',
  'step.waiting_approval': 'waits for approval',
};
const types = [...Object.keys(said), 'run.finished'].join();

export type Call = {
  readonly request: Pick<ServerContext['mcpReq'], 'signal' | 'notify' | '_meta'>;
  /** Called with work that must be finished even if the connection ends. */
  readonly keep: (work: Promise<unknown>) => void;
  /** Whether a lost connection cancels the client's calls. Over HTTP, it does for clients of the 2026 protocol. */
  readonly isLossCancel: () => boolean;
};

/** If the job's file says so, its runs continue after the connection is lost. */
export function forJob(call: Call, { agents }: Pick<Job, 'agents'>): Call {
  return { ...call, isLossCancel: () => !agents.detach && call.isLossCancel() };
}

/** Starts a run in the trace of the call, and waits for it. If the client cancels the call, the run is cancelled. */
export async function startAndWait(
  instance: Instance,
  call: Call,
  {
    create,
    waitMs,
  }: { readonly create: (headers: Readonly<Record<string, string>>) => Promise<string>; readonly waitMs: number },
): Promise<CallToolResult> {
  const { signal, _meta: meta } = call.request;
  const trace = readTraceParent(meta?.traceparent, meta?.tracestate);
  const started = create({ ...newKey(), ...(trace && toTraceTexts(trace)) });
  call.keep(started);
  const runId = await started;
  instance.ensureStarted(runId);
  try {
    await waitFor(instance, call, { runId, waitMs, isAskingEnough: true });
    if (!signal.aborted) return await answerRun(instance, runId);
  } catch (error) {
    if (!(error instanceof ApiProblem || error instanceof ServerUnreachable)) throw error;
    if (!signal.aborted) return answerStarted(instance, runId, error);
  }
  if (!isLost(signal) || call.isLossCancel()) call.keep(cancel(instance, runId));
  return { content: [] };
}

/** Answers with the run's id as well as the error, because with only an error the agent would start the job again. */
function answerStarted(instance: Instance, runId: string, error: ApiProblem | ServerUnreachable): CallToolResult {
  const why = plainText(errorWords(instance, error));
  const text = `${runId} has started, but its status could not be read: ${why} Do not start it again: pass its run_id to runs_wait.`;
  return { content: [{ type: 'text', text }], structuredContent: { run_id: runId } };
}

/** Waits for a run that the call did not start, so the end of the call does not end the run. */
export async function wait(
  instance: Instance,
  call: Call,
  run: { readonly runId: string; readonly waitMs: number },
): Promise<CallToolResult> {
  instance.ensureStarted(run.runId);
  await waitFor(instance, call, run);
  return answerRun(instance, run.runId);
}

function isLost({ reason }: AbortSignal): boolean {
  return reason instanceof SdkError && reason.code === SdkErrorCode.ConnectionClosed;
}

async function cancel({ client }: Instance, runId: string): Promise<void> {
  try {
    await client.call('cancelRun', { path: { run_id: runId } });
  } catch (error) {
    if (!(error instanceof ApiProblem && error.slug === 'run-already-finished')) throw error;
  }
}

/**
 * Returns when the run has ended, the time is over, or the call has been cancelled.
 * @throws ApiProblem, ServerUnreachable
 */
async function waitFor(
  { client }: Instance,
  { request }: Call,
  {
    runId,
    waitMs,
    isAskingEnough = false,
  }: {
    readonly runId: string;
    readonly waitMs: number;
    /** Whether to return also when a step waits for an approval, so that the agent can tell a person at once. */
    readonly isAskingEnough?: boolean;
  },
): Promise<void> {
  if (waitMs === 0 || request.signal.aborted) return;
  const lost = new AbortController();
  let losing: NodeJS.Timeout | undefined;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(waitMs), lost.signal]);
  const progress = createProgress(request);
  const heartbeat = setInterval(() => progress.send(), heartbeatMs);
  try {
    const events = client.stream('getRunEvents', {
      path: { run_id: runId },
      query: { types },
      signal,
      onOpen: () => clearTimeout(losing),
      onBreak(error) {
        losing = setTimeout(() => lost.abort(error), lostMs);
      },
    });
    for await (const { event, data } of events) {
      progress.take(event, data);
      if (isAskingEnough && event === 'step.waiting_approval') return;
    }
    lost.signal.throwIfAborted();
  } finally {
    clearInterval(heartbeat);
    clearTimeout(losing);
  }
}

/** Returns a function that sends progress if the client asked for it. The number in these messages must always grow. */
function createProgress({ _meta: meta, notify }: Call['request']) {
  const token = meta?.progressToken;
  let last = 0;
  let percent: number | undefined;
  let message = 'waiting';

  function send(): void {
    if (token === undefined) return;
    last = Math.max(percent ?? 0, last + 0.01);
    const params = { progressToken: token, progress: last, message, ...(percent !== undefined && { total: 100 }) };
    // A client that has disconnected needs no progress.
    notify({ method: 'notifications/progress', params }).catch(() => undefined);
  }

  return {
    send,
    take(event: string, data: Readonly<Record<string, unknown>>): void {
      const { message: words, step_id: step } = data;
      if (event === 'run.finished') return;
      if (event === 'run.progress') percent = Math.min(100, Math.max(0, Number(data.percent) || 0));
      // An event `run.waiting` with the status `running` means that the run no longer waits.
      const isGoingOn = event === 'run.waiting' && data.status === 'running';
      const plain = isGoingOn ? 'goes on' : (said[event] ?? event);
      const about = typeof words === 'string' && words !== '' ? words : plain;
      message = oneLine(typeof step === 'string' && step !== '' ? `${step}: ${about}` : about, mostMessageChars);
      send();
    },
  };
}
