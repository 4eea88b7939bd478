// The scripts of `flwd completion` in their shells, in a tmux terminal.

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { index, settledIndex } from './a-tab.ts';
import { createInstance } from './an-instance.ts';
import { bin, createFolder, flwd } from './terminal.ts';

const run = promisify(execFile);

const argspec = {
  type: 'object',
  properties: {
    level: { enum: ['low', 'high', 'very high', 'a:b', 'say "x"'] },
    token: { type: 'string', format: 'secret' },
  },
};
const jobs = {
  'backup/daily': bash('true', { name: 'Daily "full" \\ copy', argspec }),
  'backup/weekly': bash('true', {}),
  report: bash('true', {}),
};

/** A folder with jobs, and an environment with flwd on the PATH. */
async function createPlace(): Promise<{ dir: string; env: NodeJS.ProcessEnv }> {
  const { dir } = await createInstance(jobs, { aliases: [{ from: 'backup/daily', to: 'nightly' }] });
  mkdirSync(join(dir, 'bin'));
  symlinkSync(bin, join(dir, 'bin/flwd'));
  writeFileSync(join(dir, 'afile.txt'), '');
  await index(dir);
  const path = `${join(dir, 'bin')}:${join(process.execPath, '..')}:${process.env.PATH}`;
  return { dir, env: { PATH: path, HOME: dir, TERM: 'xterm-256color', PS1: '$ ', LANG: 'C.UTF-8' } };
}

test('flwd completion refuses an unknown shell', async () => {
  expect(await flwd(createFolder(), 'completion', 'csh')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'no completion for `csh`: flwd completes in bash, zsh, fish and powershell\n',
  });
  expect((await flwd(createFolder(), 'completion')).code).toBe(2);
});

/** The words into which readline splits the line, and the completions of the last word. */
test.each([
  ['flwd ru', ['flwd', 'ru'], ['run', 'runs']],
  ['flwd :ver', ['flwd', ':', 'ver'], ['version']],
  ['flwd backup w', ['flwd', 'backup', 'w'], ['weekly']],
  ['flwd kv get backup/d', ['flwd', 'kv', 'get', 'backup/d'], ['backup/daily']],
  [
    'flwd nightly --level=',
    ['flwd', 'nightly', '--level', '='],
    ['low', 'high', 'very\\ high', 'a:b', 'say\\ \\"x\\"'],
  ],
  ['flwd nightly --level=a:', ['flwd', 'nightly', '--level', '=', 'a', ':'], ['b']],
  ['flwd nightly --level a:', ['flwd', 'nightly', '--level', 'a', ':'], ['b']],
  ['flwd nightly --level very\\ h', ['flwd', 'nightly', '--level', 'very\\ h'], ['very\\ high']],
  ['flwd tokens create --scopes x,runs:w', ['flwd', 'tokens', 'create', '--scopes', 'x,runs', ':', 'w'], ['write']],
  ['flwd zzz', ['flwd', 'zzz'], []],
])('bash: the completion function offers the right words after `%s`', async (line, words, expected) => {
  const { dir, env } = await createPlace();
  const script = `
    eval "$(flwd completion bash)"
    COMP_LINE=$1; COMP_POINT=\${#1}; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _flwd; [ "\${#COMPREPLY[@]}" = 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', line, ...words], { cwd: dir, env });
  expect(stdout.split('\n').filter(Boolean)).toEqual(expected);
  await settledIndex(dir);
});

const shells = [
  { shell: 'bash', start: 'bash --norc --noprofile', install: 'eval "$(flwd completion bash)"' },
  { shell: 'zsh', start: 'zsh -f', install: 'eval "$(flwd completion zsh)"' },
  { shell: 'fish', start: 'fish --no-config', install: 'flwd completion fish | source' },
];

describe.each(shells)('$shell', ({ shell, start, install }) => {
  testWith('tmux', shell)('completes the word at the prompt when Tab is pressed', async () => {
    const { dir, env } = await createPlace();
    const socket = join(dir, 'tmux');
    const tmux = (...args: readonly string[]) =>
      run('tmux', ['-S', socket, '-f', '/dev/null', ...args], { cwd: dir, env });
    await tmux('new-session', '-d', '-x', '120', '-y', '30', start);
    onTestFinished(async () => void (await tmux('kill-server').catch(() => undefined)));
    const screen = async (): Promise<string> => (await tmux('capture-pane', '-p')).stdout;
    await expect.poll(screen).toMatch(/[$#>%] $|[$#>%]\s*\n/);
    await tmux('send-keys', `${install}; echo read''y`, 'Enter');
    await expect.poll(screen).toMatch(/^ready$/m);
    for (const [typed, completed] of [
      ['flwd rep', 'flwd report'],
      ['flwd :ver', 'flwd :version'],
      ['flwd backup w', 'flwd backup weekly'],
      ['flwd run back', 'flwd run backup/'],
      ['flwd nightly --level=h', 'flwd nightly --level=high'],
      ['flwd nightly --level ve', 'flwd nightly --level very\\ high'],
      ['flwd nightly --level sa', 'flwd nightly --level say\\ \\"x\\"'],
      ['flwd nightly --token.file af', 'flwd nightly --token.file afile.txt'],
      ['flwd serve --config=fl', 'flwd serve --config=flwd.yaml'],
      ['flwd serve --data-dir bi', 'flwd serve --data-dir bin/'],
    ] as const) {
      await tmux('send-keys', 'C-u', 'C-l');
      await tmux('send-keys', '-l', typed);
      await expect.poll(screen).toContain(typed);
      await tmux('send-keys', 'Tab');
      await expect.poll(screen).toContain(completed);
    }
    if (shell !== 'bash') {
      await tmux('send-keys', 'C-u', 'C-l');
      await tmux('send-keys', '-l', 'flwd run backup/');
      await tmux('send-keys', 'Tab', 'Tab');
      await expect.poll(screen).toContain('Daily "full" \\ copy');
    }
    await settledIndex(dir);
  });
});

test('the PowerShell script registers a native completer and calls flwd like the others', () => {
  const script = readFileSync(join(import.meta.dirname, '../../packaging/completion/flwd.ps1'), 'utf8');
  expect(script).toContain('Register-ArgumentCompleter -Native -CommandName flwd -ScriptBlock {');
  expect(script).toContain('& $command __complete ($rest.Count - 1) @rest');
  const count = (character: string): number => script.split(character).length;
  expect([count('{'), count('('), count('[')]).toEqual([count('}'), count(')'), count(']')]);
});
