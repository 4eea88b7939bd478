// A whole log as text and as JSON lines: what it contains, and how much CPU time it needs.

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogLine } from '../../src/domain/log-line.ts';
import { startServing, type TestRun } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());

const rs = '\x1e';
const ndjson = 'application/x-ndjson';
const lineCount = 200_000;
let odd: TestRun;
let long: TestRun;

/** Lines of every kind, and enough others to fill several segments. */
beforeAll(async () => {
  odd = await server.addRun();
  await odd.move('claim');
  const others = Array.from({ length: 9_000 }, (_, n) => `${n} copied /srv/data/orders-${n}.parquet ${'x'.repeat(60)}`);
  for (let n = 0; n < 8; n++) {
    await odd.print(
      ...others,
      '',
      'quote " backslash \\ slash / tab \t bell \x07 escape \x1b[31m delete \x7f',
      'ü € 😀 \u2028 \u00a0',
      '{"level":"warn","msg":"two\\nlines \\"quoted\\" ü","disk":"/dev/sda","n":[1,{"x":null}]}',
      '{"level":"info","message":"nothing else"}',
      '{"level":"no such"}',
      `${rs}Eon stderr "quoted"`,
      `${rs}wa warning`,
      `end ${n}`,
    );
    // This line is not valid UTF-8, and the next one is in the same chunk.
    await odd.print(Buffer.from([0x61, 0xff, 0xc3]).toString('latin1'), 'b');
  }
  await odd.finish();
  long = await server.addRun();
  await long.move('claim');
  for (let n = 0; n < lineCount; n += 5_000)
    await long.print(...Array.from({ length: 5_000 }, (_, i) => `${n + i} copied /srv/data/customers/orders.parquet`));
  await long.finish();
});

async function ask(run: TestRun, query: string, accept: string): Promise<IncomingMessage> {
  const request = get(`${server.url}/api/v1/runs/${run.id}/logs${query}`, { headers: { accept } });
  const [response]: IncomingMessage[] = await once(request, 'response');
  if (!response) throw new Error('there was no response');
  return response;
}

async function whole(run: TestRun, query: string, accept: string): Promise<string> {
  return Buffer.concat(await (await ask(run, query, accept)).toArray()).toString();
}

async function linesOf(run: TestRun, query: string): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { logs: LogLine[]; next_cursor: string | null } = JSON.parse(
      await whole(run, `?limit=10000${query}${cursor && `&cursor=${cursor}`}`, 'application/json'),
    );
    lines.push(...page.logs);
    cursor = page.next_cursor;
  }
  return lines;
}

describe('a whole log as text or as JSON lines', () => {
  test.each([
    '',
    '&level=warn',
    '&q=quoted',
    '&q=QUOTED&level=error',
    '&before=9012',
    '&before=40000&level=warn',
    '&step_id=step_01',
    '&step_id=other',
    '&attempt=2',
  ])('has the same lines as its pages, with %j', async (query) => {
    const lines = await linesOf(odd, query);
    expect(lines.length > 0).toBe(!/other|attempt/.test(query));
    const asked = query.replace('&', '?');
    expect((await whole(odd, asked, 'text/plain')) === lines.map(({ message }) => `${message}\n`).join('')).toBe(true);
    expect((await whole(odd, asked, ndjson)) === lines.map((line) => `${JSON.stringify(line)}\n`).join('')).toBe(true);
  });

  test('can begin after a cursor or a time', async () => {
    const lines = await linesOf(odd, '');
    const since = lines[20_000]?.timestamp;
    const rest = lines.slice(20_001).map((line) => `${JSON.stringify(line)}\n`);
    expect((await whole(odd, `?since=${since}`, ndjson)) === rest.join('')).toBe(true);
    expect((await whole(odd, '?cursor=20001', ndjson)) === rest.join('')).toBe(true);
  });

  test('is valid JSON even if its first line has only control characters', async () => {
    const run = await server.addRun();
    await run.move('claim');
    await run.print(`${rs}E\0`);
    await run.finish();
    const [line] = await linesOf(run, '');
    expect(line).toMatchObject({ message: '\0', stream: 'stderr' });
    expect(await whole(run, '', ndjson)).toBe(`${JSON.stringify(line)}\n`);
  });

  test('arrives unchanged even if the reader pauses again and again', async () => {
    const response = await ask(odd, '', 'text/plain');
    const pieces: Buffer[] = [];
    for await (const piece of response) {
      pieces.push(piece);
      // This pause is long enough for data to pile up, and for other readers to be served.
      if (pieces.length % 20 === 0) await whole(odd, '?level=warn', 'text/plain');
    }
    const text = Buffer.concat(pieces).toString();
    expect(text === (await linesOf(odd, '')).map(({ message }) => `${message}\n`).join('')).toBe(true);
  });

  test('needs less CPU time as text than JSON.stringify of its lines', async () => {
    const ratios: number[] = [];
    for (let n = 0; n < 5; n++) {
      const before = process.cpuUsage();
      let bytes = 0;
      for await (const piece of await ask(long, '', 'text/plain')) bytes += piece.length;
      expect(bytes).toBeGreaterThan(9_000_000);
      const ours = cpuMs(before);
      const again = process.cpuUsage();
      let length = 0;
      for (let seq = 0; seq < lineCount; seq++) length += JSON.stringify(aLine(seq)).length;
      expect(length).toBeGreaterThan(bytes);
      ratios.push(ours / cpuMs(again));
    }
    // Both are the CPU time of this process, which includes the reader.
    expect(Math.min(...ratios)).toBeLessThan(1);
  });
});

function aLine(seq: number): LogLine {
  return {
    seq,
    timestamp: '2026-11-27T12:00:00.000000Z',
    level: 'info',
    message: `${seq} copied /srv/data/customers/orders.parquet`,
    step_id: 'step_01',
    stream: 'stdout',
    attempt: 1,
  };
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
