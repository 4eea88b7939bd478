// Acts as a reader who follows a page in a new home folder, from the first block to the last. The language of a block,
// and the word after it, which readers of the page do not see, say what to do with the block:
//
//   sh              commands: all of them must succeed
//   sh fails        commands: the last one must fail
//   sh background   a program that keeps running in another terminal, and says `listening`
//   sh instead      like `sh background`, after all background programs have been stopped with Ctrl-C
//   bash, python, yaml with a path after the language or in the first comment: a file to write. With the comment
//                   `# at the end of PATH`, the lines are appended to the file
//   text            lines that an earlier block prints; `…` stands for any text, and the number of spaces may differ

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { bin } from '../cli/terminal.ts';
import { type Block, blocksOf, root } from './pages.ts';

type Terminal = {
  readonly printed: () => string;
  readonly ended: Promise<number>;
  readonly interrupt: () => Promise<void>;
};

/**
 * Follows the page. Throws with the place of the first block that does not do what the page says.
 * @param o.folders that the reader has; `isInstalled`: the page is for readers who have installed flwd
 */
export async function follow(
  page: string,
  o: { readonly folders?: readonly string[]; readonly isInstalled?: true } = {},
): Promise<void> {
  const { home, start } = await createHome(o.folders ?? []);
  if (o.isInstalled) {
    mkdirSync(join(home, '.local/bin'), { recursive: true });
    symlinkSync(bin, join(home, '.local/bin/flwd'));
  }
  const checkout = join(home, 'flwd');
  mkdirSync(checkout);
  symlinkSync(dirname(bin), join(checkout, 'bin'));
  let folder = checkout;
  const terminals: Terminal[] = [];
  const printed = () => terminals.map((each) => each.printed()).join('\n');

  for (const block of blocksOf(page)) {
    const file = fileOf(block);
    if (block.language === 'sh') {
      if (block.mark === 'instead') await Promise.all(terminals.map((each) => each.interrupt()));
      const terminal = start(folder, block);
      terminals.push(terminal);
      if (['background', 'instead'].includes(block.mark)) await waitFor(terminal.printed, [/listening/], block);
      else {
        const code = await terminal.ended;
        if ((code === 0) !== (block.mark !== 'fails'))
          throw new Error(`${block.place} ended with ${code}:\n${block.text}\n${terminal.printed()}`);
        folder = /^cwd=(.*)$/m.exec(terminal.printed())?.[1] ?? folder;
      }
    } else if (file) write(file.path.replace(/^~/, home), folder, file.isAppended, start.adapt(block.text));
    else if (block.language === 'text') await waitFor(printed, linesOf(start.adapt(block.text)), block);
    else if (block.language !== 'crontab') throw new Error(`${block.place}: what is a reader to do with it?`);
  }
}

/** The file that a block names. */
function fileOf({ language, mark, text }: Block): { readonly path: string; readonly isAppended: boolean } | undefined {
  if (!['bash', 'python', 'yaml'].includes(language)) return undefined;
  const [, appended, path = mark] = /^# (at the end of )?(\S+)\n/.exec(text) ?? [];
  return path === '' ? undefined : { path, isAppended: appended !== undefined };
}

function write(path: string, folder: string, isAppended: boolean, text: string): void {
  const target = path.startsWith('/') ? path : join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  if (isAppended) appendFileSync(target, `\n${text}`);
  else writeFileSync(target, text, { flag: 'wx' });
}

async function waitFor(printed: () => string, patterns: readonly RegExp[], { place }: Block): Promise<void> {
  const missing = () => patterns.filter((pattern) => !pattern.test(printed())).map(String);
  await expect.poll(missing, { message: `${place} is not what was printed` }).toEqual([]);
}

function linesOf(text: string): RegExp[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const exact = line
      .trim()
      .replaceAll(/[^\p{L}\p{N} …]/gu, '\\$&')
      .replaceAll('…', '.*')
      .replaceAll(/ +/g, ' +');
    return new RegExp(exact);
  });
}

async function createHome(folders: readonly string[]) {
  // Not below /tmp, because a job has its own /tmp and would not see the home there.
  const home = mkdtempSync('/var/tmp/flwd-reader-');
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  // If the server runs as root, its jobs run as another user, who must be able to enter the home.
  chmodSync(home, 0o711);
  for (const folder of folders) mkdirSync(join(home, folder));
  const programs = writePrograms(home);
  const [api = 0, listener = 0] = await freePorts(2);
  const adapt = (text: string) => text.replaceAll(/\b8080\b/g, String(api)).replaceAll(/\b9000\b/g, String(listener));
  const env = {
    HOME: home,
    PATH: `${programs}:${home}/.local/bin:${process.env.PATH}`,
    LANG: 'C.UTF-8',
    FLWD_SERVER_BIND: `127.0.0.1:${api}`,
  };

  const start = (cwd: string, { text }: Block): Terminal => {
    // Prints the folder in which the reader is afterwards. If the server runs as root, also gives its jobs the
    // permission that they lack.
    const after = `echo "cwd=$PWD"; for d in ~/www ~/backups ~/reports; do if [ -d "$d" ]; then chmod a+rwx "$d"; fi; done`;
    const child = spawn('bash', ['-c', `set -eo pipefail\n${adapt(text)}\n${after}`], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return watch(child);
  };
  return { home, start: Object.assign(start, { adapt }) };
}

function watch(child: ChildProcess): Terminal {
  let seen = '';
  // A piece of the output may end within a letter.
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (seen += text));
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const signal = (name: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) process.kill(-child.pid, name);
  };
  const interrupt = async () => {
    signal('SIGINT');
    const hasEnded = await Promise.race([ended.then(() => true), setTimeout(60_000, false, { ref: false })]);
    if (hasEnded) return;
    signal('SIGKILL');
    throw new Error(`Ctrl-C did not end it:\n${seen}`);
  };
  onTestFinished(interrupt);
  return { printed: () => seen, ended, interrupt };
}

/**
 * Writes stand-ins for programs that would change the machine, and for programs that the reader has installed in
 * another way.
 */
function writePrograms(home: string): string {
  const folder = join(home, '.programs');
  mkdirSync(folder);
  symlinkSync(process.execPath, join(folder, 'node'));
  const write = (name: string, script: string) =>
    writeFileSync(join(folder, name), `#!/bin/bash\nset -eu\n${script}\n`, { mode: 0o755 });
  write('sudo', '[ "$*" = "apt-get install bubblewrap npm" ]');
  write('npx', `[ "$1" = flwd ]; shift; exec node '${bin}' "$@"`);
  write(
    'npm',
    `self=$(dirname "$0"); PATH=\${PATH#"$self":}; cd '${root}'
    case "$*" in
      ci) exec npm ci --dry-run --no-audit --no-fund ;;
      start) FLWD_INSTANCE_DATA_DIR="$HOME/examples" exec npm start ;;
      'run build:console') exec node --eval 'process.exit(require("./package.json").scripts["build:console"] ? 0 : 1)' ;;
      test) exec node --eval 'process.exit(require("./package.json").scripts.test === "vitest run" ? 0 : 1)' ;;
      *) exit 1 ;;
    esac`,
  );
  return folder;
}

/**
 * Finds free ports below the range from which the system assigns ports. In that range, another test could get a port
 * before it is used here.
 */
async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let port = 10_000 + (process.pid % 10_000); found.length < count; port++) {
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    found.push(port);
    await new Promise((resolve) => server.close(resolve));
  }
  return found;
}
