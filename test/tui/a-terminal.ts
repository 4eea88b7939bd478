// A terminal for tests: a shell in tmux. Tests read its screen and press its keys.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';

const run = promisify(execFile);
const program = join(import.meta.dirname, 'programs', 'tui.ts');

export type Terminal = {
  /** The text on the screen without trailing blanks; with `colours`, including escape sequences. */
  readonly screen: (o?: { readonly colours?: boolean }) => Promise<string>;
  /** Waits until the screen matches. */
  readonly sees: (pattern: RegExp | string) => Promise<string>;
  /** Presses keys, by their tmux names (`Enter`, `C-s`), one after the other. */
  readonly press: (...keys: readonly string[]) => Promise<void>;
  /** Sends all of it at once, like a fast typist or a paste without brackets. */
  readonly type: (text: string) => Promise<void>;
  /** Pastes as a terminal does, with brackets. */
  readonly paste: (text: string) => Promise<void>;
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** The process that the shell runs. */
  readonly pid: () => Promise<number>;
  /** A tmux variable of the pane, e.g. `#{alternate_on}`. */
  readonly state: (format: string) => Promise<string>;
};

export async function openTerminal(
  o: { readonly columns?: number; readonly rows?: number; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Terminal> {
  const { columns = 100, rows = 30 } = o;
  const dir = mkdtempSync(join(tmpdir(), 'flwd-tui-'));
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: dir,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    ...(process.env.NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
    ...o.env,
  };
  const tmux = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await run('tmux', ['-u', '-S', join(dir, 'socket'), '-f', '/dev/null', ...words], { env });
    return stdout;
  };
  const rc = join(dir, 'rc');
  writeFileSync(rc, `PS1='[$?] ready> '\n`);
  const size = ['-x', String(columns), '-y', String(rows)];
  onTestFinished(async () => {
    await tmux('kill-server').catch(() => undefined);
    // The shell and its processes may still be running.
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  await tmux('new-session', '-d', ...size, `exec bash --noprofile --rcfile ${rc}`);

  async function screen({ colours = false } = {}): Promise<string> {
    const text = await tmux('capture-pane', '-p', ...(colours ? ['-e'] : []));
    return text.replaceAll(/ +$/gm, '').trimEnd();
  }
  async function sees(pattern: RegExp | string): Promise<string> {
    await expect.poll(() => screen()).toMatch(pattern);
    return screen();
  }
  await sees('ready>');
  return {
    screen,
    sees,
    async press(...keys) {
      for (const key of keys) await tmux('send-keys', key);
    },
    type: async (text) => void (await tmux('send-keys', '-l', text)),
    async paste(text) {
      await tmux('set-buffer', text);
      await tmux('paste-buffer', '-p', '-r');
    },
    resize: async (width, height) => void (await tmux('resize-window', '-x', String(width), '-y', String(height))),
    async pid() {
      const shell = (await tmux('display-message', '-p', '#{pane_pid}')).trim();
      return Number(readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').trim());
    },
    state: async (format) => (await tmux('display-message', '-p', format)).trim(),
  };
}

/** A terminal that runs the UI of this server. */
export async function openTui(
  url: string,
  o: {
    readonly columns?: number;
    readonly rows?: number;
    readonly token?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Terminal> {
  const { token, env, ...size } = o;
  const terminal = await openTerminal({ ...size, env: { TUI_URL: url, ...(token && { TUI_TOKEN: token }), ...env } });
  await terminal.type(`${process.execPath} ${program}\n`);
  return terminal;
}
