// What a user sees at a terminal: the live view of a run, colours, relative times, tables that fit, and prompts for
// secrets.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { openTerminal, type Terminal } from '../tui/a-terminal.ts';
import { createInstance } from './an-instance.ts';
import { bin } from './terminal.ts';

const test = testWith('tmux');

async function terminalIn(
  dir: string,
  o: Parameters<typeof openTerminal>[0] = {},
): Promise<Terminal & { flwd: (words: string) => Promise<void> }> {
  const terminal = await openTerminal(o);
  await terminal.type(`cd ${dir}; flwd() { ${process.execPath} ${bin} "$@"; }; clear\n`);
  return { ...terminal, flwd: (words) => terminal.type(`flwd ${words}\n`) };
}

test('a run shows its lines, and below them its duration, steps and progress', async () => {
  const { dir, dataDir } = await createInstance({
    pack: {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'list', matrix: { n: [1, 2] }, command: ['echo', 'listed'] },
          { id: 'copy', needs: ['list'], command: './copy.sh' },
        ],
      }),
      'copy.sh':
        '#!/usr/bin/env bash\nflwd_progress 40 "of the files"\nuntil [ -e go ]; do sleep 0.1; done\nrm go\necho copied\n',
    },
  });
  const terminal = await terminalIn(dir);
  await terminal.flwd('pack');
  const seen = await terminal.sees(
    /pack runs {2}\d.* 1\/2 steps: copy {2}(about .* left {2})?\[█{8}·{12}\] 40 % of the files$/m,
  );
  expect(seen).toMatch(/^list\[.+\] \| listed$/m);
  const [, runId = ''] = /run_(\w+)/.exec((await import('node:fs')).readdirSync(join(dataDir, 'runs')).join(' ')) ?? [];
  writeFileSync(join(dataDir, 'runs', `run_${runId}`, 'workspace', 'go'), '');
  const after = await terminal.sees(/success in(.*\n)*\[0\] ready>$/);
  expect(after).toMatch(/^copy \| copied\nsuccess in \d/m);
  expect(after).not.toMatch(/1\/2 steps/);
  expect(await terminal.screen({ colours: true })).toContain('\u001B[32msuccess');
});

test('a run says how much is probably left of it, by the last successes of its job', async () => {
  const { dir } = await createInstance({
    nap: bash('sleep "$FLWD_ARG_SECONDS"', {
      argspec: { type: 'object', properties: { seconds: { type: 'integer', default: 6 } } },
    }),
  });
  const terminal = await terminalIn(dir);
  await terminal.flwd('nap --quiet');
  await terminal.sees(/\[0\] ready>$/);
  await terminal.flwd('nap --seconds 60');
  await terminal.sees(/nap runs {2}.*s {2}about \d s left$/m);
  await terminal.press('C-c');
  await terminal.sees(/\[130\] ready>$/);
  await terminal.flwd('nap --seconds 60 --detach; flwd runs nap');
  const seen = await terminal.sees(/^usual .* of work$/m);
  expect(seen).toMatch(
    /^took +[\d.]+ m?s so far, (about \d+ s left|less than 1 s left|(a little|\d+ s) longer than usual)$/m,
  );
});

test('control sequences of a job do not reach the terminal', async () => {
  const title = '\\033]2;taken over\\007';
  const { dir } = await createInstance({
    slow: bash(`flwd_progress 40 "$(printf '${title}')of it"; until [ -e go ]; do sleep 0.1; done`),
    tested: { ...bash(`printf 'printed ${title}\\n'; false`), 'tests.yaml': '- name: fails' },
    answers: bash(`flwd_result "\\"$(printf '\\302\\2332J')\\""`, {
      argspec: { type: 'object', properties: { choice: { enum: ['\u001B]2;taken over\u0007'] } } },
    }),
  });
  const terminal = await terminalIn(dir);
  await terminal.flwd('slow');
  await terminal.sees(/40 % .*\]2;taken over.*of it$/m);
  await terminal.press('C-c');
  await terminal.sees(/\[130\] ready>$/);
  await terminal.flwd('test tested');
  await terminal.sees(/^1 of 1 failed$/m);
  await terminal.flwd('run answers --help');
  await terminal.sees(/^ +--choice .*\]2;taken over/m);
  expect(await terminal.screen()).toMatch(/^ +printed .*\]2;taken over/m);
  expect(await terminal.state('#{pane_title}')).not.toContain('taken over');
  // DEL and the C1 control characters, which may appear unescaped in JSON.
  await terminal.flwd('answers --json');
  await terminal.sees(/\\u009b2J/);
});

test('tables fit the terminal, and times are relative', async () => {
  const { dir } = await createInstance({ 'a/job/with/quite/a/long/name/of/its/own': bash('true') });
  const terminal = await terminalIn(dir, { columns: 80 });
  await terminal.flwd('a/job/with/quite/a/long/name/of/its/own; clear; flwd runs');
  const seen = await terminal.sees(/\d s ago/);
  expect(seen).toMatch(/^run_\w+ +a\/job.*… +success +\d+ s ago/m);
});

test('NO_COLOR removes all colours', async () => {
  const { dir } = await createInstance({ good: bash('true') });
  const terminal = await terminalIn(dir, { env: { NO_COLOR: '1' } });
  await terminal.flwd('good');
  await terminal.sees(/^success in/m);
  expect(await terminal.screen({ colours: true })).not.toContain('\u001B[3');
});

test('flwd asks for a missing secret without showing it', async () => {
  const argspec = { type: 'object', required: ['token'], properties: { token: { type: 'string', format: 'secret' } } };
  const { dir } = await createInstance({ deploy: bash('wc -c < "$FLWD_SECRETS_DIR/token"', { argspec }) });
  const terminal = await terminalIn(dir);
  await terminal.flwd('deploy');
  await terminal.sees(/token: $|token:$/m);
  await terminal.type('hunter2hunter2\n');
  const seen = await terminal.sees(/^success in/m);
  expect(seen).toMatch(/^14$/m);
  expect(seen).not.toContain('hunter2');
});

test('Ctrl-C at the terminal cancels the run, and the shell sees the exit code', async () => {
  const { dir } = await createInstance({ waits: bash('echo ready; sleep 1000') });
  const terminal = await terminalIn(dir);
  await terminal.flwd('waits');
  await terminal.sees(/^ready$/m);
  await terminal.press('C-c');
  await terminal.sees(/\[130\] ready>/);
  expect(await terminal.screen()).toMatch(/^cancelled by local in/m);
});
