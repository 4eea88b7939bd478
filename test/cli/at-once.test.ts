// Many commands at the same time without a server: the command that owns the data dir serves the others.

import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, type Seen } from './terminal.ts';

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
