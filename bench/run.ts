// `npm run bench`: every figure beside its floor, printed and with --write kept in docs/benchmarks.md.
// `npm run bench -- runs logs` measures only those parts.

import { parseArgs } from 'node:util';
import { discoveryFigures } from './discovery.ts';
import { followerFigures } from './followers.ts';
import { httpFigures } from './http.ts';
import { logFigures } from './logs.ts';
import type { Figure } from './measure.ts';
import { recoveryFigures } from './recovery.ts';
import { redactionFigures } from './redaction.ts';
import { machine, toRow, writeTable } from './report.ts';
import { runFigures } from './runs.ts';
import { stepFigures } from './steps.ts';

const parts: Record<string, () => Promise<Figure[]>> = {
  runs: runFigures,
  logs: logFigures,
  followers: followerFigures,
  http: httpFigures,
  discovery: discoveryFigures,
  recovery: recoveryFigures,
  steps: stepFigures,
  redaction: redactionFigures,
};

const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean' }, json: { type: 'boolean' } },
  allowPositionals: true,
});
const figures: Figure[] = [];
for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) {
  const measure = parts[part];
  if (!measure) throw new Error(`there is no part '${part}': ${Object.keys(parts).join(', ')}`);
  for (const figure of await measure()) {
    figures.push(figure);
    if (!values.json) console.log(toRow(figure));
  }
}
if (values.json) console.log(JSON.stringify({ machine: machine(), figures }, null, 2));
if (values.write) writeTable('benchmarks.md', 'figures', figures, 'floor');
