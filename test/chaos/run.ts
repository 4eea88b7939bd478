// `npm run chaos`: the long chaos loop. `--seed N` repeats a loop, `--kills N` sets its length, `--cuts 0.5` makes
// every second kill a power cut, `--write` writes the figures to docs/reliability.md, `--mutate` shows that the
// invariants work.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Evidence } from './evidence.ts';
import { invariants } from './invariants.ts';
import { wreak } from './loop.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '60' },
    cuts: { type: 'string', default: '0.15' },
    quiet: { type: 'boolean' },
    write: { type: 'boolean' },
    mutate: { type: 'boolean' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const packageDir = new URL('../..', import.meta.url).pathname;

const clientNames = {
  run: '`flwd run`',
  logs: '`flwd logs --follow`',
  events: '`flwd events --run`',
  stream: 'the client library',
} as const;

if (values.mutate) {
  const { tryMutations } = await import('./mutations.ts');
  process.exitCode = (await tryMutations(seed)) ? 0 : 1;
} else process.exitCode = (await tryOnce()) ? 0 : 1;

async function tryOnce(): Promise<boolean> {
  console.log(`chaos with the seed ${seed}`);
  const say = values.quiet ? () => undefined : console.log;
  const { evidence, root, remove } = await wreak({
    packageDir,
    seed,
    kills: Number(values.kills),
    cutChance: Number(values.cuts),
    ofEachKind: 2,
    say,
  });
  let isSound = true;
  for (const { name, sentence, breaches } of invariants) {
    const found = breaches(evidence);
    console.log(`${found.length === 0 ? 'holds ' : 'BROKEN'} ${name}: ${sentence}`);
    for (const breach of found.slice(0, 10)) console.log(`       ${breach.slice(0, 500)}`);
    if (found.length > 10) console.log(`       and ${found.length - 10} more`);
    isSound &&= found.length === 0;
  }
  for (const [what, figure] of summary(evidence)) console.log(`${what.padEnd(34)} ${figure}`);
  if (values.write && isSound) writeFigures(evidence);
  if (isSound) remove();
  else console.log(`seed ${seed}; the evidence is in ${root}`);
  return isSound;
}

function summary({ ledger, runs, logs, seen }: Evidence): [string, number | string][] {
  const ended = Map.groupBy(runs, ({ status, reason }) => (reason === null ? status : `${status} (${reason})`));
  return [
    ['kills of the server', ledger.kills],
    ['… while it started', ledger.killsDuringStart],
    ['… as power cuts', ledger.powerCuts.length],
    ['frames of the WAL lost in each power cut', ledger.powerCuts.map(({ framesLost }) => framesLost).join(' ')],
    ['files cut short in each power cut', ledger.powerCuts.map(({ filesCut }) => filesCut).join(' ')],
    ['stops by SIGTERM', ledger.stops.length],
    ['shims killed', ledger.shimsKilled.size],
    ['fork servers killed', ledger.forkServersKilled.length],
    ['pauses of the server', ledger.pauses],
    ['writes tried with an old epoch', ledger.staleWrites.length],
    ['second engines opened', ledger.secondEngines.length],
    ['runs', runs.length],
    ...[...ended].map(([end, those]): [string, number] => [`… ${end}`, those.length]),
    [
      'answers to repeated requests',
      ledger.orders.reduce((sum, { answers }) => sum + Math.max(0, answers.length - 1), 0),
    ],
    ['lines of logs', [...logs.values()].reduce((sum, lines) => sum + lines.length, 0)],
    ['events received by the client that follows all events', seen.length],
    ...[...Map.groupBy(ledger.told, ({ kind }) => kind)].map(([kind, those]): [string, number] => [
      `clients: ${clientNames[kind]}`,
      those.length,
    ]),
    ['sandboxes', ledger.sandboxes.size],
  ];
}

function writeFigures(evidence: Evidence): void {
  const page = new URL('../../docs/reliability.md', import.meta.url);
  const rows = summary(evidence).map(([what, figure]) => `| ${what} | ${figure} |`);
  const table = [`| \`npm run chaos -- --seed ${seed} --kills ${values.kills}\` | |`, '| --- | --- |', ...rows];
  const told = `Every invariant held.\n\n${table.join('\n')}\n`;
  const text = readFileSync(page, 'utf8');
  writeFileSync(
    page,
    text.replace(/(<!-- chaos -->\n)[\s\S]*(<!-- \/chaos -->)/, (_, start, end) => start + told + end),
  );
}
