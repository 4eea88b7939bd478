#!/usr/bin/env node
// The executable: sees to it that Node is new enough, then hands over to src (in a checkout) or dist.
// Plain JavaScript that an old Node can read.

// An import of them reads each of their exports, and so loads Node's streams.
const builtin = async (id) => process.getBuiltinModule?.(id) ?? import(id);
const { existsSync } = await builtin('node:fs');
const { fileURLToPath } = await builtin('node:url');

const neededMajor = 24;
const besideMe = (path) => fileURLToPath(new URL(path, import.meta.url));
const words = process.argv.slice(2);

if (Number.parseInt(process.versions.node, 10) >= neededMajor) {
  const isCheckout = existsSync(besideMe('../src'));
  // Stripping the types takes twice as long as starting Node. What is kept lies in the checkout: whoever can change it can change
  // the sources too. Node's own place for it is below the shared /tmp, where another user could have put what is run.
  if (isCheckout) (await import('node:module')).enableCompileCache(besideMe('../node_modules/.cache/flwd'));
  const { main } = await import(isCheckout ? '../src/cli/main.ts' : '../dist/cli/main.js');
  process.exitCode = await main(words);
} else if (existsSync(besideMe('../node_modules/node/bin/node'))) {
  await runWith(besideMe('../node_modules/node/bin/node'));
} else {
  console.error(`flwd needs Node ${neededMajor} or newer; this is ${process.version} (${process.execPath})`);
  process.exitCode = 2;
}

/** Runs this file again with the Node of the checkout, and is for its caller what that one is. */
async function runWith(node) {
  const { spawn } = await import('node:child_process');
  const child = spawn(node, [fileURLToPath(import.meta.url), ...words], { stdio: 'inherit' });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    for (const each of signals) process.removeAllListeners(each);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code;
  });
}
