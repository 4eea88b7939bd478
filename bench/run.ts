// `npm run bench`: prints every figure with its floor; --write also puts them into docs/benchmarks.md, each table if
// all its parts were measured. `npm run bench -- runs logs` measures only those parts. Exits with 1 if a figure is
// missed.

import { parseArgs } from 'node:util';
import { consoleFigures } from './console.ts';
import { discoveryFigures } from './discovery.ts';
import { followerFigures } from './followers.ts';
import { httpFigures } from './http.ts';
import { listFigures } from './lists.ts';
import { logFigures } from './logs.ts';
import { mcpFigures } from './mcp.ts';
import type { Figure } from './measure.ts';
import { memoryFigures, soakFigures } from './memory.ts';
import { overviewFigures } from './overview.ts';
import { createPackage } from './package.ts';
import { readingFigures } from './reading.ts';
import { recoveryFigures } from './recovery.ts';
import { redactionFigures } from './redaction.ts';
import { machine, toHead, toRow, writeTable } from './report.ts';
import { runFigures } from './runs.ts';
import { searchingFigures } from './searching.ts';
import { startUpFigures } from './start-up.ts';
import { stepFigures } from './steps.ts';

const packed = createPackage();
type Part = (bin: string) => Promise<Figure[]>;
/**
 * The tables of docs/benchmarks.md and their parts. Measured on an installed flwd: a checkout strips types at each
 * start, and has more in memory to collect.
 */
const tables: Record<string, Record<string, Part>> = {
  figures: {
    runs: runFigures,
    logs: logFigures,
    reading: readingFigures,
    searching: searchingFigures,
    followers: followerFigures,
    http: httpFigures,
    lists: listFigures,
    discovery: discoveryFigures,
    startup: startUpFigures,
    recovery: recoveryFigures,
    steps: stepFigures,
    redaction: redactionFigures,
    memory: memoryFigures,
    mcp: mcpFigures,
    soak: soakFigures,
  },
  console: { console: consoleFigures, overview: overviewFigures },
};
const parts: Record<string, Part> = Object.assign({}, ...Object.values(tables));

const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean' }, json: { type: 'boolean' } },
  allowPositionals: true,
});
const measured = new Map<string, Figure[]>();
const figures = (): Figure[] => [...measured.values()].flat();
if (!values.json) console.log(toHead('floor'));
try {
  for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) {
    const measure = parts[part];
    if (!measure) throw new Error(`there is no part '${part}': ${Object.keys(parts).join(', ')}`);
    const ofPart = await measure(packed.bin());
    measured.set(part, ofPart);
    if (!values.json) for (const figure of ofPart) console.log(toRow(figure));
  }
} finally {
  packed.remove();
}
if (values.json) console.log(JSON.stringify({ machine: machine(), figures: figures() }, null, 2));
if (values.write) {
  for (const [name, partsOf] of Object.entries(tables)) {
    const names = Object.keys(partsOf);
    // A table is from one machine, so it is only written if all of its parts were measured.
    if (!names.every((part) => measured.has(part))) continue;
    const ofTable = names.flatMap((part) => measured.get(part) ?? []);
    writeTable('benchmarks.md', name, ofTable, 'floor');
  }
}
process.exitCode = figures().some(({ verdict }) => verdict === 'missed') ? 1 : 0;
