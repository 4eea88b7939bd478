// Sums sizes below each entry of a folder and draws the largest as bars.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { folder, bars } = JSON.parse(readFileSync(process.env.FLWD_ARGS_FILE, 'utf8'));

function sizeOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function readable(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${(bytes / 2 ** (10 * unit)).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

const escapeXml = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.codePointAt(0)};`);

const entries = readdirSync(folder)
  .map((name) => ({ name, bytes: sizeOf(join(folder, name)) }))
  .toSorted((a, b) => b.bytes - a.bytes);
const shown = entries.slice(0, bars);
const largest = Math.max(1, ...shown.map((entry) => entry.bytes));
console.log(`${entries.length} entries, the largest is ${shown[0]?.name ?? 'none'}`);

const rows = shown.map(({ name, bytes }, i) => {
  const y = 40 + i * 26;
  return `  <text x="150" y="${y + 14}" text-anchor="end">${escapeXml(name)}</text>
  <rect x="160" y="${y}" width="${Math.max(1, (bytes / largest) * 340).toFixed(1)}" height="18" rx="2" fill="#2a78d6"/>
  <text x="510" y="${y + 14}">${readable(bytes)}</text>`;
});
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="600" height="${60 + shown.length * 26}" font-family="sans-serif" font-size="13">
  <rect width="100%" height="100%" fill="#ffffff"/>
  <text x="20" y="24" font-size="16">Disk usage of ${escapeXml(folder.split('/').at(-1))}</text>
${rows.join('\n')}
</svg>
`;

writeFileSync('usage.svg', svg);
const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
writeFileSync(
  process.env.FLWD_RESULT_FILE,
  JSON.stringify({ entries: entries.length, total_bytes: total, largest: shown[0] ?? null }),
);
