// The screens of jobs and forms at a terminal.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { openTui } from './a-terminal.ts';

const greeting = bash('echo "$who, $times times" >&2; flwd_result "{\\"greeted\\": \\"$who\\"}"', {
  name: 'Greeting',
  tags: ['demo'],
  argspec: {
    type: 'object',
    required: ['who'],
    properties: {
      who: { type: 'string', maxLength: 8, description: 'Whom to greet' },
      times: { type: 'integer', minimum: 1, maximum: 9, default: 3 },
      loud: { type: 'boolean', default: false },
      mode: { enum: ['fast', 'slow'], default: 'fast' },
      token: { type: 'string', format: 'secret' },
      tags: { type: 'array', items: { type: 'string' } },
    },
  },
});

const rollout = bash('true', {
  argspec: {
    type: 'object',
    properties: {
      stage: { enum: ['dev', 'staging', 'prod'], default: 'staging' },
      colour: { enum: ['blue', 'green'] },
      limits: { type: 'object' },
    },
  },
});

const server = await startServing({
  executes: true,
  jobs: {
    'demo/greeting': greeting,
    'demo/rollout': rollout,
    'disk/usage': bash('true', { name: 'How full the disks are' }),
    'disk/broken': { 'config.yaml': 'command: [' },
  },
});
afterAll(() => server.close());

async function runs(): Promise<{ job_id: string; args: Record<string, unknown>; run_id: string }[]> {
  const { runs: list } = JSON.parse(await (await server.fetch('/runs')).text());
  return Promise.all(
    list.map(async ({ run_id: id }: { run_id: string }) =>
      JSON.parse(await (await server.fetch(`/runs/${id}`)).text()),
    ),
  );
}

describe('jobs', () => {
  testWith('tmux')('are listed, and invalid ones with their error', async () => {
    const terminal = await openTui(server.url);
    await terminal.sees('disk/usage');
    const screen = await terminal.sees('● healthy');
    expect(screen).toMatch(/❯ demo\/greeting +Greeting +demo/);
    expect(screen).toMatch(/disk\/broken +✗ invalid/);
    expect(screen).toContain(server.url);
    await terminal.press('Down', 'Down');
    await terminal.sees(/disk\/broken\/config\.yaml:1: /);
    await terminal.press('Enter');
    await terminal.press('Down');
    await terminal.sees(/❯ disk\/usage/);
  });

  testWith('tmux')('can be searched by id, title and tag, even if all of it is typed at once', async () => {
    const terminal = await openTui(server.url);
    await terminal.sees('disk/usage');
    await terminal.type('/how full\r');
    const screen = await terminal.sees('1 of 4');
    expect(screen).toContain('disk/usage');
    expect(screen).not.toContain('demo/greeting');
    await terminal.press('Escape');
    await terminal.sees('demo/greeting');
    await terminal.type('/nothing such');
    await terminal.sees('No jobs match');
  });
});

describe('a form', () => {
  testWith('tmux')('shows the errors of the server beside their fields while the user types', async () => {
    const terminal = await openTui(server.url);
    await terminal.sees('demo/greeting');
    await terminal.press('Enter');
    const screen = await terminal.sees('1 required value is missing.');
    expect(screen).not.toContain('✗');
    expect(screen).toMatch(/times +3\n/);
    expect(screen).toMatch(/Whom to greet · text, at most 8 characters/);
    await terminal.type('Maximilian');
    await terminal.sees(/who\* +Maximilian +✗ must have at most 8 characters/);
    await terminal.press('C-u');
    await terminal.sees(/who\* +✗ `who` is missing/);
    await terminal.type('Max');
    await terminal.sees('Starts at once, in the profile secure');
    await terminal.press('Tab');
    await terminal.type('ten');
    await terminal.sees(/times +ten +✗ must be a whole number/);
    await terminal.press('C-u');
    await terminal.type('10');
    await terminal.sees(/times +10 +✗ must be at most 9/);
    await terminal.sees('1 field needs attention');
  });

  testWith('tmux')('starts a run with its arguments, and never shows a secret', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'flwd-started-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const terminal = await openTui(server.url, { env: { TUI_STARTED: join(dir, 'runs') } });
    await terminal.sees('demo/greeting');
    await terminal.press('Enter');
    await terminal.sees('Start');
    await terminal.type('Ada\t7\t  \ts\t');
    await terminal.sees(/loud +false\n/);
    await terminal.sees(/mode +slow\n/);
    await terminal.paste('hunter2-and\nmore');
    const screen = await terminal.sees(/token +•{16}/);
    expect(screen).not.toContain('hunter2');
    await terminal.type('\tone\rtwo\r\r');
    await terminal.sees(/tags +one, two\n/);
    await terminal.type('12');
    await terminal.press('Enter');
    await terminal.sees(/demo\/greeting {2}run_/);
    const seen = await terminal.sees('✓ success');
    expect(seen).toContain('result {"greeted":"Ada"}');
    await terminal.sees('E Ada, 7 times');
    await terminal.type('r');
    await terminal.sees(/Rerun\? +a: all steps +n: no/);
    const [run] = await runs();
    expect(run).toMatchObject({
      job_id: 'demo/greeting',
      args: { who: 'Ada', times: 7, loud: false, mode: 'slow', token: '[redacted]', tags: ['one', 'two'] },
    });
    expect(readFileSync(join(dir, 'runs'), 'utf8')).toBe(`${run?.run_id}\n`);
  });

  testWith('tmux')('shows which choice will be sent, from the first key press on', async () => {
    const terminal = await openTui(server.url);
    await terminal.sees('demo/rollout');
    await terminal.press('Down', 'Enter');
    await terminal.sees(/❯ stage +‹ staging ›/);
    expect(await terminal.sees('Starts at once')).toMatch(/ colour +–\n/);
    await terminal.press('Right');
    await terminal.sees(/❯ stage +‹ prod ›/);
    await terminal.press('Left', 'Tab', 'Right');
    await terminal.sees(/❯ colour +‹ blue ›/);
    await terminal.press('Left');
    await terminal.sees(/❯ colour +‹ – ›/);
    await terminal.press('C-s');
    await terminal.sees('✓ success');
    const [run] = await runs();
    expect(run).toMatchObject({ job_id: 'demo/rollout', args: { stage: 'staging' } });
  });

  testWith('tmux')('does not start a run with errors, and moves to the first one', async () => {
    const before = (await runs()).length;
    const terminal = await openTui(server.url);
    await terminal.sees('demo/greeting');
    await terminal.press('Enter');
    await terminal.sees('is missing');
    await terminal.press('BTab');
    await terminal.press('Enter');
    const screen = await terminal.sees('Some arguments need attention');
    expect(screen).toMatch(/❯ who\*/);
    expect(await runs()).toHaveLength(before);
  });

  testWith('tmux')('does not start a run if the value of an optional field cannot be parsed', async () => {
    const before = (await runs()).length;
    const terminal = await openTui(server.url);
    await terminal.sees('demo/greeting');
    await terminal.press('Enter');
    await terminal.sees('is missing');
    await terminal.type('Ada\tten');
    await terminal.sees(/times +ten +✗ must be a whole number/);
    await terminal.press('Up');
    await terminal.sees(/❯ who/);
    await terminal.press('C-s');
    await terminal.sees('Some arguments need attention');
    await terminal.sees(/❯ times +ten +✗/);
    await terminal.press('Escape');
    await terminal.sees(/❯ demo\/greeting/);
    await terminal.press('Down');
    await terminal.sees(/❯ (?!demo\/greeting)/);
    await terminal.press('Enter');
    await terminal.sees('Starts at once');
    await terminal.type('\t\t{"a":\t');
    await terminal.sees(/limits +\{"a": +✗/);
    await terminal.press('Enter');
    await terminal.sees(/❯ limits +\{"a": +✗/);
    await terminal.sees('Some arguments need attention');
    expect(await runs()).toHaveLength(before);
  });

  testWith('tmux')('keeps its arguments when the user comes back from the run', async () => {
    const terminal = await openTui(server.url);
    await terminal.sees('demo/greeting');
    await terminal.press('Enter');
    await terminal.sees('Start');
    await terminal.type('Bob');
    await terminal.press('C-s');
    await terminal.sees('✓ success');
    await terminal.press('q');
    await terminal.sees(/who\* +Bob/);
    await terminal.press('Escape');
    await terminal.sees('disk/usage');
  });
});

describe('the terminal', () => {
  testWith('tmux')('may have 60 columns and 15 rows, and a smaller one is reported', async () => {
    const terminal = await openTui(server.url, { columns: 60, rows: 15 });
    await terminal.sees('disk/usage');
    expect(await terminal.screen()).toMatch(/q: quit$/);
    await terminal.press('Enter');
    let screen = await terminal.sees('is missing');
    for (const part of ['flwd', 'times', 'tags', '[ Start ]', 'Whom to greet', 'Ctrl-S: start'])
      expect(screen).toContain(part);
    await terminal.resize(59, 15);
    await terminal.sees('flwd needs 60×15; this terminal is 59×15');
    await terminal.resize(80, 14);
    await terminal.sees('flwd needs 60×15; this terminal is 80×14');
    await terminal.resize(120, 40);
    screen = await terminal.sees('is missing');
    expect(screen.split('\n')).toHaveLength(40);
    await terminal.resize(60, 15);
    await terminal.press('Escape');
    await terminal.sees(/❯ demo\/greeting/);
    await terminal.press('?');
    screen = await terminal.sees('any key: back');
    expect(screen).toMatch(/Ctrl-C +quit at once/);
    expect(screen).toMatch(/n {2}N +next, previous/);
    expect(screen.indexOf('Outside forms')).toBeLessThan(screen.indexOf('jobs, runs'));
    expect(screen).toMatch(/c {2}unfinished +cancel, kill/);
    expect(screen).toMatch(/r {2}finished +rerun/);
    await terminal.press('x');
    await terminal.sees(/❯ demo\/greeting/);
  });

  testWith('tmux')('shows colours, except with NO_COLOR', async () => {
    const colour = /\[3[1-6]m/;
    const terminal = await openTui(server.url);
    await terminal.sees('healthy');
    expect(await terminal.screen({ colours: true })).toMatch(colour);
    const plain = await openTui(server.url, { env: { NO_COLOR: '1' } });
    await plain.sees('healthy');
    await plain.press('Enter');
    await plain.sees('is missing');
    expect(await plain.screen({ colours: true })).not.toMatch(colour);
  });
});
