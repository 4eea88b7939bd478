// `npm run bench`: every figure beside its floor, printed and with --write kept in docs/benchmarks.md.
// `npm run bench -- runs logs` measures only those parts.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { discoveryFigures } from './discovery.ts';
import { followerFigures } from './followers.ts';
import { httpFigures } from './http.ts';
import { logFigures } from './logs.ts';
import type { Figure } from './measure.ts';
import { runFigures } from './runs.ts';

const parts: Record<string, () => Promise<Figure[]>> = {
  runs: runFigures,
  logs: logFigures,
  followers: followerFigures,
  http: httpFigures,
  discovery: discoveryFigures,
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
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release().split('.', 2).join('.')}, Node ${process.version}`;
if (values.json) console.log(JSON.stringify({ machine, figures }, null, 2));
if (values.write) {
  const page = new URL('../docs/benchmarks.md', import.meta.url);
  const table = [
    '| what | flwd | floor | ratio | asked for | |',
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...figures.map(toRow),
  ];
  const text = readFileSync(page, 'utf8').replace(
    /(<!-- figures -->\n)[\s\S]*?(<!-- \/figures -->)/,
    `$1Measured on ${machine}.\n\n${table.join('\n')}\n$2`,
  );
  writeFileSync(page, text);
}

function toRow(figure: Figure): string {
  const floor = figure.floor === undefined ? '' : `${short(figure.floor)} ${figure.unit}`;
  const ratio = figure.ratio === undefined ? '' : figure.ratio.toFixed(2);
  const value = `${short(figure.value)} ${figure.unit}`;
  return `| ${figure.name} | ${value} | ${floor} | ${ratio} | ${figure.goal} | ${figure.holds ? 'holds' : '**missed**'} |`;
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
