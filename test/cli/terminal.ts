// A user's terminal: types `flwd …` in a folder and reads the output.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished } from 'vitest';
import type { AuditEntry } from '../../src/domain/audit.ts';

export type Seen = { readonly stdout: string; readonly stderr: string; readonly code: number | NodeJS.Signals };
export type Started = {
  readonly child: ChildProcess;
  readonly ended: Promise<Seen>;
  /** Resolves with the first match in the output. */
  readonly prints: (pattern: RegExp) => Promise<RegExpExecArray>;
};

/** A new folder, removed after the test. */
export function createFolder(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'flwd-cli-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }));
  return dir;
}

/** The built package starts in half the time of a checkout. Projects of tests that do not build it use the checkout. */
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

/** Runs flwd with this standard input. */
export function flwdReading(cwd: string, input: string | Buffer, ...args: readonly string[]): Promise<Seen> {
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: { PATH: process.env.PATH, HOME: cwd } });
  child.stdin.end(input);
  return observe(child).ended;
}

export function flwd(cwd: string, ...args: readonly string[]): Promise<Seen> {
  return start(cwd, args).ended;
}

/** A process started by a test, killed when the test is over. */
export function observe(child: ChildProcess): Started {
  const seen = { stdout: '', stderr: '' };
  // A piece of the output may end within a letter.
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
      // Programs start slowly while many others do.
      await expect.poll(() => seen.stdout + seen.stderr, { timeout: 120_000 }).toMatch(pattern);
      const found = pattern.exec(seen.stdout + seen.stderr);
      if (!found) throw new Error(`nothing printed matches ${pattern}`);
      return found;
    },
  };
}

/** The output of `flwd audit`. */
export async function auditEntries(dir: string, ...args: readonly string[]): Promise<AuditEntry[]> {
  const { stdout, stderr, code } = await flwd(dir, 'audit', '--json', '--quiet', ...args);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): AuditEntry => JSON.parse(line));
}
