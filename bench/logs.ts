// A job prints 2,000,000 lines. Measures how much this slows the job down, when all lines are stored, how much space
// they take, and how fast they can be read.

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BareSandbox, bareSandbox } from './floor.ts';
import { createRun, getRun, type Instance, residentBytes, startInstance, waitForJobs } from './instance.ts';
import { atMost, type Figure, median, nowMs } from './measure.ts';

const lineCount = 2_000_000;
const repetitions = 3;
/** Prints through one buffered writer, as fast as a script can. The script measures its own time. */
const program = (report: string): string => `exec python3 - <<'PY'
import sys, time
started = time.monotonic()
write = sys.stdout.write
for i in range(${lineCount}):
    write(f"{i:07d} copied /srv/data/customers/{i % 977}/orders-{i % 31}.parquet\\n")
sys.stdout.flush()
took = time.monotonic() - started
${report}
PY
`;
const ourScript = program('import os, json; json.dump({"took": took}, open(os.environ["FLWD_RESULT_FILE"], "w"))');
const bareScript = program('open("/workspace/took", "w").write(str(took))');

export async function logFigures(bin: string): Promise<Figure[]> {
  const instance = await startInstance({ print: { script: ourScript } }, { bin });
  const bare = bareSandbox('secure', bareScript);
  try {
    await waitForJobs(instance.url, 1);
    const samples: Sample[] = [];
    for (let i = 0; i < repetitions; i++) samples.push(await sample(instance, bare));
    const last = samples.at(-1);
    if (!last) return [];
    const all = (key: keyof Sample): number[] => samples.map((one) => Number(one[key]));
    const of = (key: keyof Sample): number => median(all(key));
    return [
      atMost('2,000,000 lines: the job itself', 's', all('took'), {
        goal: 1.2,
        gate: 1.35,
        floor: of('bareTook'),
      }),
      atMost('2,000,000 lines: run ended, all stored', 's', all('stored'), {
        goal: 2,
        gate: 4,
        floor: of('bareWhole'),
      }),
      atMost('2,000,000 lines: largest gain of memory', 'MB', of('gainedBytes') / 1e6, { goal: 200 }),
      atMost('2,000,000 lines: kept on disk', 'MB', of('keptBytes') / 1e6, {
        goal: 0.25,
        gate: 1 / 3,
        floor: of('rawBytes') / 1e6,
      }),
      ...(await pages(instance.url, last.runId)),
    ];
  } finally {
    bare.remove();
    await instance.stop();
  }
}

type Sample = Awaited<ReturnType<typeof sample>>;

async function sample(instance: Instance, bare: BareSandbox) {
  const file = join(bare.workspaceDir, 'lines');
  const bareStartedAt = nowMs();
  await bare.run(file);
  const bareWhole = (nowMs() - bareStartedAt) / 1000;
  const rawBytes = statSync(file).size;
  rmSync(file);
  const bareTook = Number(readFileSync(join(bare.workspaceDir, 'took'), 'utf8'));

  const before = residentBytes(instance.pid);
  let peak = before;
  const watching = setInterval(() => {
    peak = Math.max(peak, residentBytes(instance.pid));
  }, 20);
  const startedAt = nowMs();
  const { run_id: runId } = await createRun(instance.url, 'print');
  let run = await getRun(instance.url, runId);
  while (!run.finished_at) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    run = await getRun(instance.url, runId);
  }
  const stored = (nowMs() - startedAt) / 1000;
  clearInterval(watching);
  if (run.status !== 'success') throw new Error(`the printing run ended as ${run.status}`);
  await assertComplete(instance.url, runId);
  return {
    runId,
    took: run.result?.value.took ?? Number.NaN,
    bareTook,
    stored,
    bareWhole,
    rawBytes,
    keptBytes: keptBytes(join(instance.dataDir, 'logs'), runId),
    gainedBytes: peak - before,
  };
}

/** Reads the log back as text, and checks that it has every line once, in order. */
async function assertComplete(url: string, runId: string): Promise<void> {
  const answer = await fetch(`${url}/api/v1/runs/${runId}/logs`, { headers: { accept: 'text/plain' } });
  let rest = '';
  let expected = 0;
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.includes(String(expected).padStart(7, '0'))) throw new Error(`line ${expected} is missing: ${line}`);
      expected += 1;
    }
  }
  if (expected !== lineCount) throw new Error(`${expected} of ${lineCount} lines came back`);
}

async function pages(url: string, runId: string): Promise<Figure[]> {
  const time = async (query: string): Promise<number[]> => {
    const took: number[] = [];
    for (let i = 0; i < 7; i++) {
      const startedAt = nowMs();
      const answer = await fetch(`${url}/api/v1/runs/${runId}/logs?${query}`);
      const page = (await answer.json()) as { logs: unknown[] };
      took.push(nowMs() - startedAt);
      if (page.logs.length === 0) throw new Error(`the page ${query} is empty`);
    }
    return took;
  };
  const first = await time('limit=100');
  const tail = await time('tail=100');
  const middleTime = (await (await fetch(`${url}/api/v1/runs/${runId}/logs?q=1000000%20copied&limit=1`)).json()) as {
    logs: { timestamp: string }[];
  };
  const middle = await time(`limit=100&since=${middleTime.logs[0]?.timestamp}`);
  const searchStartedAt = nowMs();
  await fetch(`${url}/api/v1/runs/${runId}/logs?q=1999999%20copied`).then((answer) => answer.json());
  const searchMs = nowMs() - searchStartedAt;
  return [
    atMost('2,000,000 lines: the last 100', 'ms', tail, { goal: 40, gate: 150 }),
    atMost('2,000,000 lines: the first page', 'ms', first, { goal: 40, gate: 150 }),
    atMost('2,000,000 lines: a page in the middle', 'ms', middle, { goal: 40, gate: 150 }),
    atMost('2,000,000 lines: search to the last line', 'ms', searchMs, { goal: 1_000, gate: 2_000 }),
  ];
}

function keptBytes(dir: string, runId: string): number {
  if (!existsSync(dir)) return 0;
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.includes(runId))
    .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
}
