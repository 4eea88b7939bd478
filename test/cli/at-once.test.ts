// Many commands at the same time without a server: the command that owns the data dir serves the others.

import { createHash, randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, flwdReading, type Seen, type Started, start } from './terminal.ts';

/** Set COMMANDS=100 for a longer test. */
const count = Number(process.env.COMMANDS ?? 15);
const atOnce = 10;

const argspec = { type: 'object', properties: { n: { type: 'integer' } } };
const jobs = { counts: bash('for i in 1 2 3; do echo "line $n $i"; sleep 0.2; done', { argspec }) };
const linesOf = (n: number) => `line ${n} 1\nline ${n} 2\nline ${n} 3\n`;

const reads = [['runs'], ['jobs'], ['logs', 'counts'], ['logs', 'counts', '--follow'], ['audit'], ['plan', 'counts']];

testWith('bwrap')(
  `${count} commands, ${atOnce} at a time, all exit with 0, and each run succeeds with all its lines`,
  async () => {
    const { dir, serve } = await createInstance(jobs);
    const words = Array.from({ length: count }, (_, n) =>
      n % 3 === 2 ? (reads[((n - 2) / 3) % reads.length] ?? []) : ['run', 'counts', '--n', String(n)],
    );
    const seen: Seen[] = [];
    const next = words.entries();
    async function work(): Promise<void> {
      for (const [n, command] of next) seen[n] = await flwd(dir, ...command);
    }
    // The first command creates the data dir that the others read.
    seen[0] = await flwd(dir, ...(words[0] ?? []));
    next.next();
    await Promise.all(Array.from({ length: atOnce }, work));

    const wrong = words.flatMap((command, n) => {
      const { code, stdout, stderr } = seen[n] ?? { code: 'never ended', stdout: '', stderr: '' };
      const isWhole = command[0] !== 'run' || stdout === linesOf(n);
      // A command that serves others does not print the log of its server.
      const isClean = !/^\d{4}-\d\d-\d\dT/m.test(stderr);
      return code === 0 && isWhole && isClean ? [] : [{ command: command.join(' '), code, stdout, stderr }];
    });
    expect(wrong).toEqual([]);

    const server = await serve();
    const { runs } = await server.json<{ runs: { run_id: string; status: string }[] }>('/runs?limit=1000');
    const numbers = words.flatMap(([verb], n) => (verb === 'run' ? [n] : []));
    expect(runs.map(({ status }) => status)).toEqual(numbers.map(() => 'success'));
    const logs = await Promise.all(runs.map(({ run_id: id }) => server.messages(id)));
    expect(logs.map((lines) => `${lines.join('\n')}\n`).toSorted()).toEqual(numbers.map(linesOf).toSorted());
  },
  600_000,
);

/** Set SEED to repeat an order, and ROUNDS for more of them. */
const seeds = Array.from({ length: Number(process.env.ROUNDS ?? 1) }, (_, n) =>
  process.env.SEED ? Number(process.env.SEED) + n : randomInt(1_000_000),
);

/** Commands that read, and commands that change something. `set` gets its value on standard input. */
const mixed = [
  ...[1, 2, 3].map((n) => ['run', 'counts', '--n', String(n)]),
  ['run', 'counts', '--n', '4', '--detach'],
  ['logs', 'counts', '--follow'],
  ['gc'],
  ['gc'],
  ['secrets', 'set', 'FIRST'],
  ['secrets', 'set', 'SECOND'],
  ['kv', 'set', 'team', 'key', 'value'],
  ['runs'],
  ['serve'],
];

testWith('bwrap')(
  'runs, gc, secrets and readers all succeed in any order while a server starts among them',
  async () => {
    for (const seed of seeds) await tryOrder(seed);
  },
  600_000,
);

async function tryOrder(seed: number): Promise<void> {
  const { dir, dataDir, serve } = await createInstance(jobs);
  const seen: (Seen & { command: string })[] = [];
  async function type(words: readonly string[]): Promise<void> {
    const isSet = words[0] === 'secrets';
    seen.push({
      ...(await (isSet ? flwdReading(dir, 'a value', ...words) : flwd(dir, ...words))),
      command: words.join(' '),
    });
  }
  await type(['run', 'counts', '--n', '0']);
  let server: Started | undefined;
  const next = shuffled(mixed, seed).values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const words of next) {
        if (words[0] === 'serve') server = start(dir, words);
        else await type(words);
      }
    }),
  );
  await server?.prints(/listening on/);
  server?.child.kill('SIGTERM');
  seen.push({ ...((await server?.ended) ?? { code: 0, stdout: '', stderr: '' }), command: 'serve' });

  const wrong = seen.filter(({ command, code, stdout }) => {
    const [, n] = /^run counts --n (\d)$/.exec(command) ?? [];
    return code !== 0 || (n !== undefined && stdout !== linesOf(Number(n)));
  });
  expect({ seed, wrong }).toEqual({ seed, wrong: [] });
  expect(readdirSync(dataDir)).not.toContain('flwd.sock');

  const again = await serve();
  const { runs } = await again.json<{ runs: { run_id: string }[] }>('/runs');
  const statuses = await Promise.all(runs.map(async ({ run_id: id }) => (await again.finished(id)).status));
  expect({ seed, statuses }).toEqual({ seed, statuses: [0, 1, 2, 3, 4].map(() => 'success') });
  const logs = await Promise.all(runs.map(({ run_id: id }) => again.messages(id)));
  expect(logs.map((lines) => `${lines.join('\n')}\n`).toSorted()).toEqual([0, 1, 2, 3, 4].map(linesOf));
  const { secrets } = await again.json<{ secrets: { name: string }[] }>('/secrets');
  expect(secrets.map(({ name }) => name).toSorted()).toEqual(['FIRST', 'SECOND']);
  await again.stop();
}

/** The same order for the same seed. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const place = (item: T, n: number) =>
    createHash('sha256')
      .update(`${seed} ${n} ${String(item)}`)
      .digest('hex');
  return items
    .map((item, n) => ({ item, at: place(item, n) }))
    .toSorted((a, b) => a.at.localeCompare(b.at))
    .map(({ item }) => item);
}
