// Shows that the invariants work: a copy of the sources without a certain safeguard must break the invariant that needs
// it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Mutation = {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly instead: string;
  /** The invariant that must break. */
  readonly breaks: string;
};

export const mutations: readonly Mutation[] = [
  {
    name: 'the check of the epoch',
    file: 'src/store/run/step-moves.ts',
    text: "    .where('epoch', '=', epoch)\n",
    instead: '',
    breaks: 'stale-writer-is-refused',
  },
  {
    name: 'the check of an owner’s lease',
    file: 'src/store/run/owners.ts',
    text: 'eb.not(eb.exists(lease))]);',
    instead: "eb.not(eb.exists(lease)), eb('owner', '!=', owner)]);",
    breaks: 'second-engine-takes-nothing',
  },
  {
    name: 'the fsync',
    file: 'src/store/sqlite/wal-sync.ts',
    text: 'await syncWal(fd);',
    instead: 'void [syncWal, fd];',
    breaks: 'acknowledged',
  },
  {
    name: 'the sync of a log that closes',
    file: 'src/store/log/log-file.ts',
    text: 'if (hasLines && segment.rawBytes < leastCompressedBytes) await sync(fd);',
    instead: 'void [sync, leastCompressedBytes];',
    breaks: 'log-is-exact',
  },
  {
    name: "the spool's offset",
    file: 'src/engine/run/attempt/output.ts',
    text: 'const spoolEnd = (await runLog.open()).spoolOffset(at);',
    instead: 'const spoolEnd = 0;',
    breaks: 'log-is-exact',
  },
  {
    name: 'the wait for folders that are being put away',
    file: 'src/engine/engine.ts',
    text: 'await folders.settled();',
    instead: 'void folders;',
    breaks: 'stops-tidily',
  },
];

const checkout = new URL('../..', import.meta.url).pathname;
const copied = ['src', 'bin', 'libexec', 'test/chaos', 'test/support', 'package.json'];
const kills = 12;

/** @returns whether each mutation broke its invariant */
export async function tryMutations(seed: number): Promise<boolean> {
  let allFound = true;
  for (const mutation of mutations) {
    const { status, broken } = await tryMutation(mutation, seed);
    const isFound = broken.includes(mutation.breaks);
    const verdict = isFound ? 'found' : 'NOT FOUND';
    console.log(`${verdict}: without ${mutation.name}, broken: ${broken.join(', ') || `nothing (exit ${status})`}`);
    allFound &&= isFound;
  }
  return allFound;
}

async function tryMutation(mutation: Mutation, seed: number): Promise<{ status: number | null; broken: string[] }> {
  const copy = mkdtempSync(join(tmpdir(), 'flwd-mutated-'));
  try {
    for (const name of copied) cpSync(join(checkout, name), join(copy, name), { recursive: true });
    symlinkSync(join(checkout, 'node_modules'), join(copy, 'node_modules'));
    mutate(join(copy, mutation.file), mutation);
    const words = ['test/chaos/run.ts', '--seed', String(seed), '--kills', String(kills), '--cuts', '0.5', '--quiet'];
    const child = spawn(process.execPath, words, {
      cwd: copy,
      env: { ...process.env, TMPDIR: copy },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    const exit = once(child, 'exit');
    for await (const chunk of child.stdout) printed += String(chunk);
    const [status]: (number | null)[] = await exit;
    return {
      status: status ?? null,
      broken: [...printed.matchAll(/^BROKEN ([\w-]+)/gm)].map(([, name = '']) => name),
    };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** @throws Error when the sources have changed and no longer contain the text */
function mutate(path: string, { name, file, text, instead }: Mutation): void {
  const source = readFileSync(path, 'utf8');
  if (source.split(text).length !== 2) throw new Error(`${name}: ${file} does not hold exactly once: ${text}`);
  writeFileSync(
    path,
    source.replace(text, () => instead),
  );
}
