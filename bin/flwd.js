#!/usr/bin/env node
// The executable: sees to it that Node is new enough, then hands over to src (in a checkout) or dist.
// Plain JavaScript that an old Node can read.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
const besideMe = (path) => fileURLToPath(new URL(path, import.meta.url));
const words = process.argv.slice(2);

if (Number.parseInt(process.versions.node, 10) >= neededMajor) {
  // No compile cache: Node keeps it below the shared /tmp, and runs what another user has put there.
  const { main } = await import(existsSync(besideMe('../src')) ? '../src/cli/main.ts' : '../dist/cli/main.js');
  process.exitCode = await main(words);
} else if (existsSync(besideMe('../node_modules/node/bin/node'))) {
  runWith(besideMe('../node_modules/node/bin/node'));
} else {
  console.error(`flwd needs Node ${neededMajor} or newer; this is ${process.version} (${process.execPath})`);
  process.exitCode = 2;
}

/** Runs this file again with the Node of the checkout, and is for its caller what that one is. */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...words], { stdio: 'inherit' });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    for (const each of signals) process.removeAllListeners(each);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code;
  });
}
