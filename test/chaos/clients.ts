// Clients of every kind besides the callers of the API: commands that run jobs, follow logs and follow events, and the
// client library as the terminal UI and the console use it. Each continues, however often the server ends, until its
// run has ended.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '../../src/client/client.ts';
import { errorText, isPassing } from '../../src/client/error-words.ts';
import type { Ledger, Order, Told } from './ledger.ts';
import type { Syncs } from './power-cut.ts';
import type { Random } from './random.ts';
import type { Script } from './scripts.ts';
import { environmentOf, nodeWords } from './victim.ts';

export type Clients = {
  /** The current server. */
  readonly use: (url: string) => void;
  /** Starts no command while the power is cut. */
  readonly withoutNewOnes: <T>(work: () => Promise<T>) => Promise<T>;
  /** Starts no more clients, and resolves once all have ended. */
  readonly finish: (withinMs: number) => Promise<void>;
};

const longestPauseMs = 3_000;
const retryMs = 250;
/** A client follows one of the newest runs, chosen from this many. */
const newest = 8;

export function startClients(o: {
  readonly packageDir: string;
  readonly root: string;
  readonly syncs: Syncs;
  readonly ledger: Ledger;
  readonly scripts: Readonly<Record<string, Script>>;
  readonly random: Random;
  /** How many clients of each kind run at a time. */
  readonly ofEachKind: number;
}): Clients {
  const { root, ledger } = o;
  const names = Object.keys(o.scripts);
  const ending = new AbortController();
  const late = new AbortController();
  let url = '';
  let count = 0;
  let { promise: mayBegin, resolve: letBegin } = Promise.withResolvers<void>();
  letBegin();

  async function command(kind: Told['kind'], words: readonly string[], order?: Order): Promise<void> {
    const child = spawn(process.execPath, [...nodeWords(o.packageDir), ...words, '--config', join(root, 'flwd.yaml')], {
      cwd: root,
      env: environmentOf(o),
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: late.signal,
      killSignal: 'SIGKILL',
    });
    child.on('error', () => undefined);
    const told = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        told[name] += text;
      });
    // Not `once`: it would reject when a client that does not end is aborted, and hide which one that was.
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    const runId = order ? /\brun_\w+/.exec(told.stderr)?.[0] : words.find((word) => word.startsWith('run_'));
    if (order && runId !== undefined) order.answers.push(runId);
    tell({ kind, order: order?.name, runId, end: endOf(code), ...told });
  }

  function tell(told: Omit<Told, 'endedAtMs'>): void {
    ledger.told.push({ ...told, endedAtMs: Date.now() });
  }

  function endOf(code: number | null): Told['end'] {
    return code ?? (late.signal.aborted ? 'never' : 'killed');
  }

  async function runJob(random: Random): Promise<void> {
    const jobId = names[random.integer(0, names.length - 1)] ?? 'quick';
    const { n, pauseMs } = o.scripts[jobId]?.args ?? { n: [1, 1], pauseMs: [0, 0] };
    const args = { n: random.integer(...n), pause: String(random.integer(...pauseMs) / 1_000) };
    const order: Order = { name: `command-${++count}`, jobId, args, key: null, answers: [], isCancelled: false };
    ledger.orders.push(order);
    const words = ['--n', String(args.n), '--pause', args.pause, '--label', `order=${order.name}`, '--verbose'];
    await command('run', ['run', jobId, ...words], order);
  }

  async function follow(kind: 'logs' | 'events' | 'stream', random: Random): Promise<void> {
    const recent = ledger.orders.flatMap(({ answers }) => answers.slice(0, 1)).slice(-newest);
    const runId = recent[random.integer(0, recent.length - 1)];
    if (runId === undefined) return;
    if (kind === 'logs') await command(kind, ['logs', runId, '--follow', '--json']);
    else if (kind === 'events') await command(kind, ['events', '--run', runId, '--json', '--quiet']);
    else await stream(runId);
  }

  /** Follows a run as the terminal UI and the console do. */
  async function stream(runId: string): Promise<void> {
    const baseUrl = 'http://chaos';
    const client = createClient({
      baseUrl,
      fetch: (address, init) => fetch(`${url}${address.slice(baseUrl.length)}`, init),
    });
    const told = { kind: 'stream', order: undefined, runId, stderr: '' } as const;
    let stdout = '';
    let lastId = '0';
    while (!late.signal.aborted) {
      try {
        const query = { last_event_id: lastId };
        const frames = client.stream('getRunLogs', { path: { run_id: runId }, query, signal: late.signal });
        for await (const { event, id, data } of frames) {
          if (event !== 'log') continue;
          lastId = id;
          stdout += `${JSON.stringify(data)}\n`;
        }
        if (!late.signal.aborted) return tell({ ...told, stdout, end: 0 });
      } catch (error) {
        if (!isPassing(error)) return tell({ ...told, stdout, stderr: errorText(error), end: 1 });
        await delay(retryMs);
      }
    }
    tell({ ...told, stdout, end: 'never' });
  }

  async function work(kind: Told['kind'], random: Random): Promise<void> {
    while (!ending.signal.aborted) {
      await delay(random.integer(0, longestPauseMs));
      await mayBegin;
      if (url === '' || ending.signal.aborted) continue;
      await (kind === 'run' ? runJob(random) : follow(kind, random));
    }
  }

  const kinds = ['run', 'logs', 'events', 'stream'] as const;
  const workers = kinds.flatMap((kind) => Array.from({ length: o.ofEachKind }, () => work(kind, o.random.fork())));

  return {
    use(next) {
      url = next;
    },
    async withoutNewOnes(act) {
      ({ promise: mayBegin, resolve: letBegin } = Promise.withResolvers<void>());
      try {
        return await act();
      } finally {
        letBegin();
      }
    },
    async finish(withinMs) {
      ending.abort();
      const timer = setTimeout(() => late.abort(), withinMs);
      await Promise.all(workers);
      clearTimeout(timer);
    },
  };
}
