// A terminal for tests: a shell in tmux. Tests read its screen and press its keys.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';

const run = promisify(execFile);
const program = join(import.meta.dirname, 'programs', 'tui.ts');

export type Terminal = {
  /** Returns the text on the screen without trailing blanks. With `colours`, the text includes escape sequences. */
  readonly screen: (o?: { readonly colours?: boolean }) => Promise<string>;
  /** Waits until the screen matches and is completely drawn. */
  readonly sees: (pattern: RegExp | string) => Promise<string>;
  /** Presses these keys one after the other. Keys have their tmux names, such as `Enter` or `C-s`. */
  readonly press: (...keys: readonly string[]) => Promise<void>;
  /** Sends the whole text at once, like a fast typist or a paste without bracketed-paste marks. */
  readonly type: (text: string) => Promise<void>;
  /** Pastes the text with bracketed-paste marks, as a terminal does. */
  readonly paste: (text: string) => Promise<void>;
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** Returns the id of the process that the shell runs. */
  readonly pid: () => Promise<number>;
  /** Returns a tmux variable of the pane, e.g. `#{alternate_on}`. */
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
  const options = ['-u', '-S', join(dir, 'socket'), '-f', '/dev/null'];
  const tmux = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await run('tmux', [...options, ...words], { env });
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
  const ask = attach(options, env);

  async function screen({ colours = false } = {}): Promise<string> {
    const text = await ask(`capture-pane -p${colours ? ' -e' : ''}`);
    return text.replaceAll(/ +$/gm, '').trimEnd();
  }
  async function sees(pattern: RegExp | string): Promise<string> {
    let [last, seen] = ['', ''];
    await expect
      .poll(async () => {
        // If the screen has changed since the last reading, it is still being drawn.
        [last, seen] = [seen, await screen()];
        return seen === last ? seen : '';
      })
      .toMatch(pattern);
    return seen;
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

const answered = /^%begin (\d+ \d+) 1\n([\s\S]*?)^%(?:end|error) \1 1\n/m;

/**
 * A client of tmux that answers commands until the session ends. Tests read the screen again and again, and starting a
 * process for each reading would cost more than what they test. tmux puts each answer between two lines of its own.
 */
function attach(options: readonly string[], env: NodeJS.ProcessEnv): (command: string) => Promise<string> {
  const client = spawn('tmux', [...options, '-C', 'attach-session', '-f', 'ignore-size,no-output'], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const waiting: ((answer: string) => void)[] = [];
  const ended = once(client, 'close').then(() => Promise.reject(new Error('the terminal has ended')));
  ended.catch(() => undefined);
  // The session may end before a command reaches it.
  client.stdin.on('error', () => undefined);
  let printed = '';
  client.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
    // The last number is 1 for answers to commands of this client.
    for (let found = answered.exec(printed); found; found = answered.exec(printed)) {
      printed = printed.slice(found.index + found[0].length);
      waiting.shift()?.(found[2] ?? '');
    }
  });
  return (command) => {
    client.stdin.write(`${command}\n`);
    return Promise.race([new Promise<string>((resolve) => void waiting.push(resolve)), ended]);
  };
}

/** Opens a terminal that runs the UI for this server. */
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
