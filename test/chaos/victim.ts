// The server that the loop kills: the real executable on its own folder, started again and again.

import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Syncs } from './power-cut.ts';

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly tookMs: number };

export type Victim = {
  readonly pid: number;
  /** Resolves when the server listens. @throws Error when it ends before that */
  readonly url: Promise<string>;
  readonly end: (signal: NodeJS.Signals) => Promise<Exit>;
};

const timeoutMs = 20_000;

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

type Place = { readonly packageDir: string; readonly root: string; readonly syncs: Syncs };

/**
 * Options of node for commands. They record what the command syncs, because a command may own the data dir for a while.
 */
export function nodeWords(packageDir: string): readonly string[] {
  const preload = new URL('./programs/watch-syncs.ts', import.meta.url).href;
  return ['--import', preload, join(packageDir, 'bin/flwd.js')];
}

export function environmentOf({ root, syncs }: Pick<Place, 'root' | 'syncs'>): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: root, CHAOS_SYNCS: syncs.walPath, CHAOS_SYNCED_FILES: syncs.filesPath };
}

export function startVictim(o: Place): Victim {
  const child = spawn(process.execPath, [...nodeWords(o.packageDir), 'serve', '--config', join(o.root, 'flwd.yaml')], {
    cwd: o.root,
    env: environmentOf(o),
    stdio: ['ignore', 'pipe', openSync(join(o.root, 'server.log'), 'a')],
  });
  living.add(child);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      living.delete(child);
      resolve({ code, signal });
    });
  });
  const url = listening(child, exited);
  // Nobody waits for the URL of a server that is killed while it starts.
  url.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    url,
    async end(signal) {
      const sinceMs = performance.now();
      child.kill(signal);
      const late = delay(timeoutMs, undefined, { ref: false }).then(() => child.kill('SIGKILL'));
      const exit = await Promise.race([exited, late.then(() => exited)]);
      return { ...exit, tookMs: Math.round(performance.now() - sinceMs) };
    },
  };
}

function listening(child: ChildProcess, exited: Promise<unknown>): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = '';
    child.stdout?.on('data', (chunk) => {
      printed += String(chunk);
      const [, url] = /listening on (http:\/\/\S+)/.exec(printed) ?? [];
      if (url !== undefined) resolve(url);
    });
    void exited.then(() => reject(new Error(`the server ended before it listened: ${printed}`)));
  });
}
