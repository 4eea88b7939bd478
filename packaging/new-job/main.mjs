#!/usr/bin/env node
// The arguments are JSON in a file. The script starts in an empty folder; the job's folder is FLWD_JOB_DIR.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { FLWD_ARGS_FILE, FLWD_ARTIFACTS_DIR } = process.env;
const { who, also, times, style, dated } = JSON.parse(readFileSync(FLWD_ARGS_FILE, 'utf8'));

/** flwd_log, flwd_progress, flwd_result, flwd_output and flwd_artifact are programs. */
function flwd(helper, ...words) {
  execFileSync(`flwd_${helper}`, words.map(String), { stdio: 'inherit' });
}

const names = [who, ...also];
flwd('log', 'debug', `names: ${names.length}, times: ${times}`);
const greetings = [];
for (let round = 1; round <= times; round++) {
  for (const name of names) {
    const date = dated ? ` It is ${new Date().toISOString().slice(0, 10)}.` : '';
    const text = `Hello, ${name}.${date}`;
    greetings.push(style === 'loud' ? text.toUpperCase() : text);
    console.log(greetings.at(-1)); // printed lines become the log
  }
  flwd('progress', Math.floor((100 * round) / times), `${greetings.length} greetings`);
}

// Files in this folder are kept as artifacts.
writeFileSync(join(FLWD_ARTIFACTS_DIR, 'greetings.txt'), `${greetings.join('\n')}\n`);
flwd('result', JSON.stringify({ greetings: greetings.length }));
