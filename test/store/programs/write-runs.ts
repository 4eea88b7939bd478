// Adds, claims and finishes several runs at once until it is killed. Prints to stdout what was acknowledged.

import { writeSync } from 'node:fs';
import { aRun } from '../a-run.ts';
import { engines, nowMs } from '../engines.ts';
import { moveRun } from '../moves.ts';

const [, , engineName, dir = ''] = process.argv;
const store = await engines.find(({ engine }) => engine === engineName)?.open(dir);
if (!store) throw new Error(`no engine ${engineName}`);
const { database, runs } = store;
const say = (what: string, id: string) => writeSync(1, `${what} ${id}\n`);

async function writeRuns(): Promise<never> {
  for (;;) {
    const run = aRun();
    await database.transact((tx) => runs.add(tx, run));
    say('pending', run.id);
    await database.transact((tx) => moveRun(tx, runs, run.id, 'claim', { atMs: nowMs }));
    say('running', run.id);
    await database.transact((tx) => moveRun(tx, runs, run.id, 'succeed', { atMs: nowMs, exitCode: 0 }));
    say('success', run.id);
  }
}

await Promise.all(Array.from({ length: 8 }, writeRuns));
