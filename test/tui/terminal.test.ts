// The terminal is restored, however the UI ends.

import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, expect } from 'vitest';
import { bin } from '../cli/terminal.ts';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { openTerminal, openTui, type Terminal } from './a-terminal.ts';

const server = await startServing({ jobs: { 'demo/hello': bash('true') } });
afterAll(() => server.close());

/** Checks that the shell shows the exit code, the terminal echoes and edits lines, and the cursor is visible. */
async function isRestored(terminal: Terminal, code: number): Promise<void> {
  // Input that is sent before the shell's prompt appears may be lost.
  await terminal.sees(/\[\d+\] ready>$/);
  await terminal.sees(`[${code}] ready>`);
  await terminal.type(
    "echo modes: $(stty -a | tr ' ;' '\\n\\n' | grep -xE '[-]?(icanon|echo|isig|icrnl|opost|ixon)')\n",
  );
  await terminal.sees(/^modes: icrnl ixon opost isig icanon echo$/m);
  expect(await terminal.state('#{alternate_on} #{cursor_flag}')).toBe('0 1');
}

testWith('tmux')('the UI takes the whole screen, and restores it when the user quits', async () => {
  const terminal = await openTui(server.url);
  expect(await terminal.sees('demo/hello')).not.toContain('ready>');
  expect(await terminal.state('#{alternate_on} #{cursor_flag}')).toBe('1 0');
  await terminal.press('q');
  expect(await terminal.sees('the user has quit')).not.toContain('demo/hello');
  await isRestored(terminal, 0);
});

testWith('tmux')('Ctrl-C quits at once, even inside a form', async () => {
  const terminal = await openTui(server.url);
  await terminal.sees('demo/hello');
  await terminal.press('Enter');
  await terminal.sees('[ Start ]');
  await terminal.press('C-c');
  await terminal.sees('the user has quit');
  await isRestored(terminal, 0);
});

testWith('tmux')('Ctrl-Z returns to the shell, and fg continues where the user was', async () => {
  const terminal = await openTui(server.url);
  await terminal.sees('demo/hello');
  await terminal.press('Enter');
  await terminal.sees('[ Start ]');
  await terminal.press('C-z');
  await isRestored(terminal, 148);
  expect(await terminal.screen()).not.toContain('[ Start ]');
  await terminal.type('clear; fg\n');
  await terminal.sees('[ Start ]');
  expect(await terminal.state('#{alternate_on} #{cursor_flag}')).toBe('1 0');
  await terminal.press('Escape');
  await terminal.sees(/❯ demo\/hello/);
  process.kill(await terminal.pid(), 'SIGTSTP');
  await isRestored(terminal, 148);
  await terminal.type('clear; fg\n');
  await terminal.sees(/❯ demo\/hello/);
  await terminal.press('q');
  await terminal.sees('the user has quit');
  await isRestored(terminal, 0);
});

testWith('tmux').for([
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGINT', 130],
] as const)('%s ends the UI, and the shell sees that it was a signal', async ([signal, code]) => {
  const terminal = await openTui(server.url);
  await terminal.sees('demo/hello');
  process.kill(await terminal.pid(), signal);
  await isRestored(terminal, code);
});

/** This terminal controls no process, so nothing sends SIGHUP when it vanishes. */
const vanishing = `
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
ui = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, start_new_session=True)
os.close(theirs)
seen = b''
while b'demo/hello' not in seen: seen += os.read(ours, 4096)
os.close(ours)
try: print(ui.wait(120))
finally: ui.kill()
`;

testWith('python3')('the UI ends when its terminal disappears without SIGHUP', async () => {
  const env = { PATH: process.env.PATH, TERM: 'xterm-256color' };
  const words = ['-c', vanishing, process.execPath, bin, 'tui', '--remote', server.url];
  expect((await promisify(execFile)('python3', words, { env })).stdout).toBe('129\n');
});

testWith('tmux')('a terminal on which the UI cannot be drawn is refused', async () => {
  const terminal = await openTerminal();
  await terminal.type(`TERM=dumb ${process.execPath} ${bin} tui --remote ${server.url}\n`);
  await terminal.sees('flwd tui cannot draw on this terminal (TERM=dumb)');
  await isRestored(terminal, 2);
});

testWith('tmux')('an uncaught error is printed on the restored screen', async () => {
  const terminal = await openTui(server.url);
  await terminal.sees('demo/hello');
  process.kill(await terminal.pid(), 'SIGUSR2');
  await isRestored(terminal, 70);
  expect(await terminal.screen()).toContain('broken on purpose');
});

testWith('tmux')('an answer that does not come from flwd ends the UI with an error', async () => {
  const other = createServer((_, response) => response.setHeader('content-type', 'application/json').end('{}'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const terminal = await openTui(`http://127.0.0.1:${(other.address() as AddressInfo).port}`);
  await isRestored(terminal, 70);
  expect(await terminal.screen()).toContain('TypeError');
  other.closeAllConnections();
  other.close();
});
