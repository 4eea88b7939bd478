#!/usr/bin/env node
// The executable: checks that Node is new enough, then runs src (in a checkout) or dist.
// Without `import` and `import.meta`, and in plain JavaScript, so that an old Node can read it and say what it lacks.

const neededMajor = 24;
const words = process.argv.slice(2);

// An `import` of these would read each of their exports, and so load Node's streams.
const builtin = async (id) => (process.getBuiltinModule ? process.getBuiltinModule(id) : import(id));

if (Number.parseInt(process.versions.node, 10) >= neededMajor) void start();
else startWithAnotherNode().catch(refuse);

/** This file, whatever link started it. */
async function ownPath() {
  return (await builtin('fs')).realpathSync(process.argv[1]);
}

async function besideMe(path) {
  return (await builtin('path')).join(await ownPath(), '..', path);
}

async function start() {
  if (process.channel) endWithParent();
  const isCheckout = (await builtin('fs')).existsSync(await besideMe('../src'));
  await keepCompiledCode(await besideMe(isCheckout ? '../node_modules/.cache/flwd' : '../dist/.cache'));
  const { main } = await import(isCheckout ? '../src/cli/main.ts' : '../dist/cli/main.js');
  // If Node ends before the command does, that is a bug and no success.
  process.exitCode = 70;
  process.exitCode = await main(words);
}

/** Ends this process when the one that started it with a channel is gone, as `startWithAnotherNode` does. */
function endWithParent() {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // The channel alone must not keep a command that is done from ending.
  process.channel.unref();
}

/**
 * Keeps compiled code between starts, and in a checkout the sources without their types. The owner of the package keeps
 * it in the package: anyone who can write there can change flwd's code anyway, which is not true of Node's default
 * below the shared /tmp. Other users keep it in their own cache: a folder of theirs in the package would keep its owner
 * from updating and removing it.
 */
async function keepCompiledCode(folderOfOwner) {
  const { mkdirSync, statSync } = await builtin('fs');
  try {
    const isOwner = statSync(await besideMe('..')).uid === process.geteuid();
    const folder = isOwner ? folderOfOwner : await folderOfUser();
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    (await builtin('module')).enableCompileCache(folder);
  } catch {
    // Only the start is slower.
  }
}

/**
 * In the cache of the service (CacheDirectory= of systemd) or of the user; undefined if other users can write there.
 * Throws if there is no such cache.
 */
async function folderOfUser() {
  const { existsSync, mkdirSync, rmSync, statSync } = await builtin('fs');
  const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = process.env;
  const cache = CACHE_DIRECTORY || XDG_CACHE_HOME || `${HOME}/.cache`;
  const { uid, mode } = statSync(cache);
  if (cache[0] !== '/' || uid !== process.geteuid() || (mode & 0o022) !== 0) return undefined;
  const program = await ownPath();
  const folder = `${cache}/flwd-compiled${program.replace(/\W+/g, '-').slice(-100)}`;
  // An upgrade changes this time, and the code of the version before is of no use any more.
  const mark = `${folder}/${statSync(program).ctimeMs}`;
  if (!existsSync(mark)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(mark, { recursive: true, mode: 0o700 });
  }
  return folder;
}

/**
 * Runs this file again with the Node of the checkout, and passes on signals, exit code and output. Through the channel
 * between them, the other process notices when this one is killed.
 */
async function startWithAnotherNode() {
  const node = await besideMe('../node_modules/node/bin/node');
  if (!(await builtin('fs')).existsSync(node)) return refuse();
  const { spawn } = await builtin('child_process');
  const child = spawn(node, [await ownPath(), ...words], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    for (const each of signals) process.removeAllListeners(each);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code;
  });
}

function refuse() {
  console.error(
    `flwd needs Node ${neededMajor} or newer; this is ${process.version} (${process.execPath}).\n` +
      `Install it with \`npm install --global node@${neededMajor}\` and open a new shell, or install flwd's Debian package ` +
      'or single file, which bring their own (docs/install.md).',
  );
  process.exitCode = 2;
}
