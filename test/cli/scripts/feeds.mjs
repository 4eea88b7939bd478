#!/usr/bin/env node
// Merges JSON feeds into one file.
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    list: { type: 'string', default: join(homedir(), '.config/feeds.txt') },
    output: { type: 'string', short: 'o', default: 'merged.json' },
    limit: { type: 'string', default: '20' },
  },
});
const merged = [];
for (const url of readFileSync(values.list, 'utf8').split('\n').filter(Boolean)) {
  const answer = await fetch(url);
  merged.push(...(await answer.json()));
}
writeFileSync(values.output, JSON.stringify(merged.slice(0, Number(values.limit))));
console.log(`merged ${merged.length} items`);
