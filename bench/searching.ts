// How much log the server searches in one second of its CPU time, for texts that no log has, compared with a loop that
// only decompresses the same segments.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { ask } from './ask.ts';
import { cpuMs, createRun, getRun, type Instance, startInstance, waitForJobs } from './instance.ts';
import { atLeast, type Figure, median } from './measure.ts';

const repetitions = 9;
const texts = [
  { name: 'a word', text: 'panic' },
  { name: 'a phrase', text: 'connection refused' },
  { name: 'an id', text: 'run_01J9ZK3M5W8Q2T7V4X6Y0B1C2D' },
];

/**
 * Prints ten kinds of lines, 70 to 150 bytes long, with different numbers and names each time. They compress to 0.18 of
 * their size, and a log of this project's checks to 0.21. A single line with a counter would compress to 0.07, and
 * decompress much faster.
 */
const script = `exec python3 - <<'PY'
import random, sys, time
rnd = random.Random(1)
n, pick = rnd.randrange, rnd.choice
names = "orders invoices customers payments shipments sessions tokens backups reports accounts".split()
hosts = ["db-1.internal", "db-2.internal", "cache-1.internal", "mail.example.org", "api.example.com"]
kinds = [
  lambda: f"INFO  [worker-{n(8)}] copied /srv/data/{pick(names)}/part-{n(2000):05}.parquet ({n(10**7)} bytes)",
  lambda: f"INFO  [worker-{n(8)}] batch {n(10**5)} of {pick(names)} finished in {n(3000)} ms",
  lambda: f"DEBUG [pool] connection {n(32)} to {pick(hosts)}:5432 taken after {n(90)} ms, {n(32)} in use",
  lambda: f'INFO  [http] 10.0.{n(4)}.{n(256)} "GET /v2/{pick(names)}/{rnd.getrandbits(32):08x}" 200 {n(9000)}',
  lambda: f"DEBUG [cache] miss for key {pick(names)}:{n(10**6)}, loading it from {pick(hosts)}",
  lambda: f"WARN  [mailer] {pick(hosts)} answered 451 4.7.1 try again later; attempt {n(5)} of 5, next in {n(16)} s",
  lambda: f"INFO  [import] row {n(10**6)}: customer {n(10**6)} has no postal code, using the invoice's",
  lambda: f"ERROR [worker-{n(8)}] {pick(names)} {n(10**6)} is held by session {rnd.getrandbits(48):012x}, waiting",
  lambda: f"DEBUG [sql] select id, state from {pick(names)} where id = {n(10**7)} for update -- {n(9000)} us",
  lambda: f"INFO  [sync] {pick(names)}: {n(1000)} of {n(1000, 2000)} done, about {n(60)} min left",
]
at = 1764000000.0
for _ in range(2_000):
  lines = []
  for _ in range(1_000):
    at += rnd.random() / 50
    day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    lines.append(f"{day}.{int(at * 1000) % 1000:03}Z {pick(kinds)()}\\n")
  sys.stdout.write("".join(lines))
PY
`;

export async function searchingFigures(bin: string): Promise<Figure[]> {
  const instance = await startInstance({ print: { script } }, { bin });
  try {
    await waitForJobs(instance.url, 1);
    const textBytes = await print(instance);
    const segments = await waitForSegments(join(instance.dataDir, 'logs'));
    const rates = texts.map((): number[] => []);
    const floors: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      floors.push(textBytes / 1000 / decompressMs(segments));
      // The first search after the floor finds cold caches, so each text is searched first in turn.
      for (const offset of texts.keys()) {
        const n = (i + offset) % texts.length;
        rates[n]?.push(textBytes / 1000 / (await searchMs(instance, texts[n]?.text ?? '')));
      }
    }
    const floor = median(floors);
    return texts.flatMap(({ name }, n) => [
      atLeast(`log searched for ${name}, in a second of CPU`, 'MB', rates[n] ?? [], { goal: 500, gate: 400 }),
      atLeast(`log searched for ${name}; floor: decompressed`, 'MB', rates[n] ?? [], { goal: 0.7, gate: 0.55, floor }),
    ]);
  } finally {
    await instance.stop();
  }
}

/** @returns how many bytes it printed */
async function print({ url }: Instance): Promise<number> {
  const { run_id: runId } = await createRun(url, 'print', { async: false });
  const run = await getRun(url, runId);
  if (run.status !== 'success') throw new Error(`the printing run ended as ${run.status}`);
  const log = await fetch(`${url}/api/v1/runs/${runId}/logs`, { headers: { accept: 'text/plain' } });
  return (await log.arrayBuffer()).byteLength;
}

/** Returns the compressed segments once all segments are compressed. */
async function waitForSegments(dir: string): Promise<Buffer[]> {
  for (;;) {
    const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.'));
    if (names.every((name) => name.endsWith('.zst'))) return names.map((name) => readFileSync(join(dir, name)));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function decompressMs(segments: readonly Buffer[]): number {
  const before = process.cpuUsage();
  // The fastest way is to decompress each segment into one buffer, and to free the buffer at once.
  for (const segment of segments) zstdDecompressSync(segment, { chunkSize: 4.5 * 2 ** 20 }).buffer.transfer(0);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The CPU time of the whole server, with all its threads. */
async function searchMs({ url, pid }: Instance, text: string): Promise<number> {
  type Page = { hits: unknown[]; next_cursor: string | null };
  const before = cpuMs(pid);
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = new URLSearchParams({ q: text, ...(cursor !== '' && { cursor }) });
    const page = JSON.parse((await ask(`${url}/api/v1/logs?${query.toString()}`)).text) as Page;
    if (page.hits.length > 0) throw new Error(`a log contains '${text}'`);
    cursor = page.next_cursor;
  }
  return cpuMs(pid) - before;
}
