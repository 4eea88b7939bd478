// A user's terminal: types `flwd …` in a folder and reads the output.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, inject, onTestFinished } from 'vitest';
import type { AuditEntry } from '../../src/domain/audit.ts';

export type Seen = { readonly stdout: string; readonly stderr: string; readonly code: number | NodeJS.Signals };
export type Started = {
  readonly child: ChildProcess;
  readonly ended: Promise<Seen>;
  /** Waits for the pattern in the output, and resolves with its first match. */
  readonly prints: (pattern: RegExp) => Promise<RegExpExecArray>;
};

/** Creates a folder that is removed after the test. */
export function createFolder(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'flwd-cli-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }));
  return dir;
}

/**
 * The tests use the built package, which starts in half the time of a checkout. Test projects that do not build it use
 * the checkout.
 */
const packageDir: string | undefined = inject('packageDir');
export const bin = join(packageDir ?? join(import.meta.dirname, '../..'), 'bin/flwd.js');

export function start(cwd: string, args: readonly string[], env?: Readonly<Record<string, string>>): Started {
  return startNode(cwd, [bin, ...args], env);
}

export function startNode(cwd: string, words: readonly string[], env?: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, [...words], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return observe(child);
}

/** Runs flwd with the given standard input. */
export function flwdReading(cwd: string, input: string | Buffer, ...args: readonly string[]): Promise<Seen> {
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: { PATH: process.env.PATH, HOME: cwd } });
  child.stdin.end(input);
  return observe(child).ended;
}

export function flwd(cwd: string, ...args: readonly string[]): Promise<Seen> {
  return start(cwd, args).ended;
}

/** Records the output of a process. Kills the process when the test is over. */
export function observe(child: ChildProcess): Started {
  const seen = { stdout: '', stderr: '' };
  // A chunk of the output may end in the middle of a character.
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    seen.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    seen.stderr += text;
  });
  const ended = new Promise<Seen>((resolve) => {
    child.on('close', (code, signal) => resolve({ ...seen, code: code ?? signal ?? 0 }));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    child,
    ended,
    async prints(pattern) {
      // On a busy machine, programs start slowly.
      await expect.poll(() => seen.stdout + seen.stderr, { timeout: 120_000 }).toMatch(pattern);
      const found = pattern.exec(seen.stdout + seen.stderr);
      if (!found) throw new Error(`nothing printed matches ${pattern}`);
      return found;
    },
  };
}

/**
 * Call this after a command has reacted to a signal. flwd takes signals within 250 ms for one, so another signal counts
 * only later. Sending one again and again could hit the process while it ends, or count as a third signal.
 */
export function untilNextSignalCounts(): Promise<void> {
  return delay(300);
}

/** Returns the entries that `flwd audit` prints. */
export async function auditEntries(dir: string, ...args: readonly string[]): Promise<AuditEntry[]> {
  const { stdout, stderr, code } = await flwd(dir, 'audit', '--json', '--quiet', ...args);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): AuditEntry => JSON.parse(line));
}
