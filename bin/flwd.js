#!/usr/bin/env node
// The executable: checks that Node is new enough, then runs src (in a checkout) or dist.
// Plain JavaScript that an old Node can read.

// An `import` of these would read each of their exports, and so load Node's streams.
const builtin = async (id) => process.getBuiltinModule?.(id) ?? import(id);
const { existsSync, mkdirSync, statSync } = await builtin('node:fs');
const { fileURLToPath } = await builtin('node:url');

const neededMajor = 24;
const besideMe = (path) => fileURLToPath(new URL(path, import.meta.url));
const words = process.argv.slice(2);

if (Number.parseInt(process.versions.node, 10) >= neededMajor) {
  const isCheckout = existsSync(besideMe('../src'));
  await keepCompiledCode(besideMe(isCheckout ? '../node_modules/.cache/flwd' : '../dist/.cache'));
  const { main } = await import(isCheckout ? '../src/cli/main.ts' : '../dist/cli/main.js');
  process.exitCode = await main(words);
} else if (existsSync(besideMe('../node_modules/node/bin/node'))) {
  await runWith(besideMe('../node_modules/node/bin/node'));
} else {
  console.error(`flwd needs Node ${neededMajor} or newer; this is ${process.version} (${process.execPath})`);
  process.exitCode = 2;
}

/**
 * Keeps compiled code between starts, and in a checkout the sources without their types. The folder is in the
 * package: anyone who can write the package can change its code anyway, which is not true of Node's default below
 * the shared /tmp. Only the package's owner keeps it: a folder that root made in another user's package would keep
 * that user from updating and removing the package.
 */
async function keepCompiledCode(folder) {
  try {
    if (statSync(besideMe('..')).uid !== process.geteuid()) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    return;
  }
  (await builtin('node:module')).enableCompileCache(folder);
}

/** Runs this file again with the Node of the checkout, and passes on signals, exit code and output. */
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
