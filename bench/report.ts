// Writes figures as a table, and puts the table into a page.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { medianSyncMs } from './floor.ts';
import type { Figure } from './measure.ts';

export function machine(): string {
  return [
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${/^[\d.]+/.exec(release())?.[0]}`,
    `Node ${process.version}`,
    `${medianSyncMs().toFixed(1)} ms for an fsync`,
  ].join(', ');
}

/** The lines above the rows: the machine and the columns. `floor` is the heading of the fourth column. */
export function toHead(floor: string): string {
  return [
    `Measured on ${machine()}.`,
    '',
    `| what | flwd | least – most | ${floor} | ratio | goal | gate | |`,
    '| --- | ---: | ---: | ---: | ---: | --- | --- | --- |',
  ].join('\n');
}

export function toRow(figure: Figure): string {
  const { name, value, unit, floor, ratio, spread, goal, gate, verdict } = figure;
  const cells = [
    name,
    `${short(value)} ${unit}`,
    spread ? `${short(spread[0])} – ${short(spread[1])}` : '',
    floor === undefined ? '' : `${short(floor)} ${unit}`,
    ratio === undefined ? '' : ratio.toFixed(2),
    goal,
    gate ?? '',
    verdict === 'missed' ? '**missed**' : verdict,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Puts the table between `<!-- name -->` and `<!-- /name -->` of a page below docs/. */
export function writeTable(page: string, name: string, figures: readonly Figure[], floor: string): void {
  const path = new URL(`../docs/${page}`, import.meta.url);
  const table = [toHead(floor), ...figures.map(toRow)].join('\n');
  const text = readFileSync(path, 'utf8').replace(
    new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`),
    `$1${table}\n$2`,
  );
  writeFileSync(path, text);
}

function short(value: number): string {
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(3);
}
