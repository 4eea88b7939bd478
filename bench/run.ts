// `npm run bench`: prints every figure with its floor; --write also puts them into docs/benchmarks.md.
// `npm run bench -- runs logs` measures only those parts.

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
/** Measured on an installed flwd: a checkout strips types at each start, and has more in memory to collect. */
const parts: Record<string, (bin: string) => Promise<Figure[]>> = {
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
  console: consoleFigures,
  overview: overviewFigures,
  memory: memoryFigures,
  mcp: mcpFigures,
  soak: soakFigures,
};

const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean' }, json: { type: 'boolean' } },
  allowPositionals: true,
});
const figures: Figure[] = [];
if (!values.json) console.log(toHead('floor'));
try {
  for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) {
    const measure = parts[part];
    if (!measure) throw new Error(`there is no part '${part}': ${Object.keys(parts).join(', ')}`);
    for (const figure of await measure(packed.bin())) {
      figures.push(figure);
      if (!values.json) console.log(toRow(figure));
    }
  }
} finally {
  packed.remove();
}
if (values.json) console.log(JSON.stringify({ machine: machine(), figures }, null, 2));
if (values.write) writeTable('benchmarks.md', 'figures', figures, 'floor');
