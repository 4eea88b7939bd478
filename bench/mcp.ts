// What the first agent at `/mcp` costs a server that was idle, and what a call of a tool costs beyond the same request
// to the API.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './ask.ts';
import { cpuMs, type Instance, startInstance, waitForJobs } from './instance.ts';
import { atMost, type Figure } from './measure.ts';

const starts = 5;
const settleMs = 2_000;
const warmUpCalls = 100;
const calls = 400;

export async function mcpFigures(bin: string): Promise<Figure[]> {
  const samples: Awaited<ReturnType<typeof sample>>[] = [];
  for (let i = 0; i < starts; i++) samples.push(await sample(bin));
  const all = (name: keyof (typeof samples)[number]): number[] => samples.map((one) => one[name]);
  return [
    atMost('memory for the first MCP session: its own', 'MB', all('own'), { goal: 25 }),
    atMost('memory for the first MCP session: resident, with pages of Node’s program', 'MB', all('resident'), {
      goal: 25,
      gate: 32,
    }),
    atMost('CPU time of an MCP tool call beyond that of the same request', 'ms', all('callMs'), { goal: 5 }),
  ];
}

async function sample(bin: string) {
  const instance = await startInstance({ noop: { script: 'true\n' } }, { bin });
  try {
    await waitForJobs(instance.url, 1);
    await delay(settleMs);
    const before = memoryOf(instance);
    const send = await openSession(instance.url);
    await send('tools/list', {});
    const call = () => send('tools/call', { name: 'runs_list', arguments: {} });
    await call();
    await delay(settleMs);
    const after = memoryOf(instance);
    const request = () => ask(`${instance.url}/api/v1/runs?limit=20`);
    const callMs = (await cpuOf(instance, call)) - (await cpuOf(instance, request));
    return { own: after.own - before.own, resident: after.resident - before.resident, callMs };
  } finally {
    await instance.stop();
  }
}

/** In megabytes. */
function memoryOf({ pid }: Instance): { own: number; resident: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string): number => (Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024) / 1e6;
  return { own: of('Private_Clean') + of('Private_Dirty'), resident: of('Rss') };
}

async function cpuOf({ pid }: Instance, work: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < warmUpCalls; i++) await work();
  const before = cpuMs(pid);
  for (let i = 0; i < calls; i++) await work();
  return (cpuMs(pid) - before) / calls;
}

/** @returns a function that sends a request of the session and waits for its whole answer */
async function openSession(url: string) {
  let id = 0;
  let session: string | null = null;
  const post = async (message: object): Promise<string> => {
    const answer = await fetch(`${url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== null && { 'mcp-session-id': session, 'mcp-protocol-version': protocolVersion }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
    session ??= answer.headers.get('mcp-session-id');
    return answer.text();
  };
  const send = async (method: string, params: object): Promise<void> => {
    const text = await post({ id: ++id, method, params });
    if (!text.includes('"result"')) throw new Error(`${method} answered ${text}`);
  };
  await send('initialize', { protocolVersion, capabilities: {}, clientInfo: { name: 'bench', version: '1' } });
  await post({ method: 'notifications/initialized' });
  return send;
}

const protocolVersion = '2025-11-25';
