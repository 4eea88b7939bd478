// The screens of runs and their logs at a terminal. On one of the servers, the tests decide what the runs do.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { openTui, type Terminal } from './a-terminal.ts';

const server = await startServing({ jobs: { demo: bash('true') } });
afterAll(() => server.close());
const executing = await startServing({
  executes: true,
  jobs: {
    'demo/long': bash('echo begun; sleep 100'),
    'demo/stubborn': bash('trap "echo not yet" TERM; echo begun; for i in {1..600}; do sleep 0.2 || true; done', {
      cancel: { grace: '2m' },
    }),
    'demo/web': bash('curl -sS https://example.org/feed'),
    'demo/untidy': bash('for file in notes.txt of-the-first-day.csv of-the-second-day.csv; do echo x > "$file"; done'),
    'demo/steps': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'fetch', command: ['bash', '-c', 'echo fetched; until [[ -e go ]]; do sleep 0.1; done'] },
          { id: 'clean', needs: ['fetch'], command: ['bash', '-c', 'echo cleaned; exit 3'] },
          { id: 'load', needs: ['clean'], command: ['echo', 'loaded'] },
        ],
      }),
    },
    'demo/zones': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'build', command: ['echo', 'built'] },
          {
            id: 'deploy',
            needs: ['build'],
            foreach: '["db1.fra", "db2.fra"]',
            command: ['bash', '-c', 'echo "to $FLWD_ITEM"; [[ $FLWD_ITEM != db2.fra ]]'],
          },
        ],
      }),
    },
    'demo/versions': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'get', command: ['echo', 'got'] },
          {
            id: 'test',
            needs: ['get'],
            matrix: { node: [22, 24], db: ['pg', 'sqlite'] },
            command: ['bash', '-c', 'echo "on $FLWD_MATRIX_DB"; [[ $FLWD_MATRIX_NODE-$FLWD_MATRIX_DB != 24-pg ]]'],
          },
          { id: 'pack', needs: ['test'], command: ['echo', 'packed'] },
        ],
      }),
    },
  },
});
afterAll(() => executing.close());

async function openNewestRun(terminal: Terminal): Promise<void> {
  await terminal.sees(/❯ /);
  await terminal.press('2');
  await terminal.sees(/❯ . \w+ +demo/);
  await terminal.press('Enter');
  await terminal.sees(/── log/);
}

describe('the list of runs', () => {
  testWith('tmux')('is updated live, and can be filtered by status and text', async () => {
    const first = await server.addRun({ jobId: 'demo/first' });
    const terminal = await openTui(server.url);
    await terminal.sees(/❯ demo/);
    await terminal.press('2');
    await terminal.sees(/○ pending +demo\/first/);
    const second = await server.addRun({ jobId: 'demo/second' });
    await terminal.sees(/○ pending +demo\/second/);
    await second.move('claim');
    await terminal.sees(/● running +demo\/second/);
    await second.finish('fail');
    const screen = await terminal.sees(/✗ failed +demo\/second/);
    expect(screen.indexOf('demo/second')).toBeLessThan(screen.indexOf('demo/first'));
    await terminal.type('ssss');
    await terminal.sees(/Runs failed/);
    await expect.poll(() => terminal.screen()).not.toContain('demo/first');
    await terminal.type('ss');
    await terminal.sees(/Runs waiting_approval[\s\S]*No runs match\./);
    await terminal.type('s/demo/first\r');
    expect(await terminal.sees(/Runs \/demo\/first +1\n.*○ pending +demo\/first/)).not.toContain('demo/second');
    await first.move('withdraw');
    await terminal.sees(/– cancelled +demo\/first/);
  });
});

testWith('tmux')('the list of runs has the figures of today above it if the terminal is wide enough', async () => {
  await using figures = await startServing({ jobs: { demo: bash('true') } });
  for (const move of ['succeed', 'succeed', 'succeed', 'fail'] as const) {
    const run = await figures.addRun({ jobId: 'demo' });
    await run.move('claim');
    await run.finish(move);
  }
  const terminal = await openTui(figures.url, { columns: 120 });
  await terminal.sees(/❯ demo/);
  await terminal.press('2');
  await terminal.sees(/Runs +today 4 ended, 1 failed, 75 % success +4$/m);
  await terminal.resize(80, 30);
  await expect.poll(() => terminal.screen()).not.toContain('today');
});

testWith('tmux')('the list of jobs shows the status of each last run', async () => {
  const terminal = await openTui(executing.url);
  const look = await terminal.sees(/❯ demo\/long *$/m);
  expect(look).not.toMatch(/demo\/zones +[✓✗]/);
  await executing.post('/runs', { job_id: 'demo/zones' });
  await terminal.sees(/demo\/zones +✗$/m);
});

describe('the log of a run', () => {
  testWith('tmux')('is updated live, and can be filtered by level', async () => {
    const run = await server.addRun();
    await run.move('claim');
    const terminal = await openTui(server.url);
    await openNewestRun(terminal);
    await run.print('first', '\u{1e}wcareful', '\u{1e}Ewrong');
    await terminal.sees(/I first\n.*W careful\n.*E wrong/);
    await terminal.type('lll');
    await terminal.sees('log warn+');
    await expect.poll(() => terminal.screen()).not.toContain('first');
    await run.print('second', '\u{1e}wstill careful');
    const screen = await terminal.sees('W still careful');
    expect(screen).not.toContain('second');
    await terminal.type('l');
    await terminal.sees('log error+');
    await expect.poll(() => terminal.screen()).not.toContain('careful');
    await terminal.type('ll');
    await terminal.sees('second');
    await run.finish();
    await terminal.sees('✓ success');
  });

  testWith('tmux')('keeps the colours of the script, but no other control sequences', async () => {
    const run = await server.addRun();
    await run.move('claim');
    const terminal = await openTui(server.url);
    await openNewestRun(terminal);
    const evil = '\u{1b}[2J\u{1b}[H\u{1b}]0;title\u{7}\u{1b}]52;c;aGk=\u{7}\u{9b}2J\u{1b}[8mhidden\u{1b}[?1049l';
    await run.print('\u{1b}[31mred\u{1b}[0m text', evil, 'a\u{202e}b');
    await terminal.sees('red text');
    const screen = await terminal.sees('�]0;title��]52;c;aGk=��2Jhidden�[?1049l');
    expect(screen).toContain('a�b');
    expect(screen).toMatch(/^flwd/);
    expect(await terminal.screen({ colours: true })).toMatch(/\[31mred/);
    expect(await terminal.state('#{alternate_on}')).toBe('1');
    expect(await terminal.state('#{pane_title}')).not.toBe('title');
  });

  testWith('tmux')('is searched by the server, and can be read from one end to the other', async () => {
    const run = await server.addRun();
    await run.move('claim');
    const lines = Array.from({ length: 12_000 }, (_, i) => `line ${i + 1}${(i + 1) % 4_000 === 0 ? ' needle' : ''}`);
    await run.print(...lines);
    await run.finish();
    const terminal = await openTui(server.url);
    await openNewestRun(terminal);
    await terminal.sees(/line 12000 needle$/m);
    await terminal.type('g');
    await terminal.sees(/I line 1$/m);
    expect(await terminal.screen()).not.toContain('following');
    await terminal.type('/NEEDLE\r');
    await terminal.sees('/NEEDLE: 1 of 3');
    await terminal.sees(/❯.* line 4000 needle$/m);
    await terminal.type('n');
    await terminal.sees(/❯.* line 8000 needle$/m);
    await terminal.sees(/I line 8001$/m);
    await terminal.sees(/I line 7999$/m);
    await terminal.type('NN');
    await terminal.sees(/❯.* line 12000 needle$/m);
    await terminal.type('f');
    await terminal.sees('following');
    const numbers = async (): Promise<number[]> =>
      [...(await terminal.sees(/I line \d/)).matchAll(/I line (\d+)/g)].map(([, number]) => Number(number));
    // At the first loaded line, the key has no effect until earlier lines have been loaded.
    await expect
      .poll(async () => {
        for (let page = 0; page < 10; page++) await terminal.press('PPage');
        return (await numbers())[0];
      })
      .toBeLessThan(10_800);
    const [top = 0, ...rest] = await numbers();
    expect(rest).toEqual(rest.map((_, index) => top + index + 1));
  });

  testWith('tmux')('does not move its reader while more is printed', async () => {
    const run = await server.addRun();
    await run.move('claim');
    await run.print(...Array.from({ length: 300 }, (_, i) => `line ${i + 1}`));
    const terminal = await openTui(server.url);
    await openNewestRun(terminal);
    await terminal.sees('line 300');
    await terminal.press('PPage');
    await expect.poll(() => terminal.screen()).not.toContain('line 300');
    const before = await terminal.sees(/I line \d/);
    for (let batch = 0; batch < 8; batch++)
      await run.print(...Array.from({ length: 1_000 }, (_, i) => `more ${batch} ${i}`));
    await run.print('the last line');
    await terminal.press('Right');
    await terminal.sees('→20');
    await terminal.press('Left');
    await expect.poll(() => terminal.screen()).not.toContain('→20');
    expect(/I line (\d+)/.exec(await terminal.sees(/I line \d/))?.[1]).toBe(/I line (\d+)/.exec(before)?.[1]);
    await terminal.type('f');
    await terminal.sees('the last line');
    await run.print('and one more');
    await terminal.sees('and one more');
  });
});

describe('a run', () => {
  testWith('tmux')('shows its steps, its log and its keys in 60 columns and 15 rows', async () => {
    const run = await server.addRun({ jobId: 'demo/small' });
    await run.move('claim');
    await run.print(...Array.from({ length: 30 }, (_, i) => `line ${i + 1} ${'x'.repeat(80)}`));
    const terminal = await openTui(server.url, { columns: 60, rows: 15 });
    await terminal.sees(/❯ demo/);
    await terminal.press('2');
    await terminal.sees(/q: back$/);
    await openNewestRun(terminal);
    const screen = await terminal.sees(/line 30 x+…\n/);
    expect(screen.split('\n')).toHaveLength(15);
    expect(screen).toMatch(/demo\/small.*● running/);
    expect(screen).toMatch(/── log +following/);
    expect(screen).toMatch(/c: cancel .* q: back$/);
    await terminal.type('\t');
    await terminal.sees(/Tab: log {2}q: back$/);
    await terminal.type('\tc');
    await terminal.sees(/n: no$/);
    await terminal.press('Enter');
    await terminal.type('n');
    await terminal.sees(/c: cancel .* q: back$/);
    await run.finish();
  });

  testWith('tmux')('is redrawn completely each time the terminal becomes narrower or wider', async () => {
    const run = await server.addRun({ jobId: 'demo/resized' });
    await run.move('claim');
    await run.print(...Array.from({ length: 30 }, (_, i) => `line ${i + 1} ${'x'.repeat(120)}`));
    await run.finish();
    const terminal = await openTui(server.url, { columns: 120 });
    await openNewestRun(terminal);
    await terminal.sees(/line 30 x+…\n/);
    for (const [columns, rows] of [
      [80, 30],
      [70, 22],
      [100, 22],
    ] as const) {
      const fresh = await openTui(server.url, { columns, rows });
      await openNewestRun(fresh);
      await fresh.sees(/line 30 x+…\n/);
      await terminal.resize(columns, rows);
      // A UI that has just started may change once more when the health of the server becomes known.
      await expect
        .poll(async () => ({ resized: await terminal.screen(), expected: await fresh.screen() }))
        .toSatisfy(({ resized, expected }) => resized === expected);
    }
  });

  testWith('tmux')('shows its steps live, and its failed steps can be rerun', async () => {
    const terminal = await openTui(executing.url);
    await terminal.sees('demo/steps');
    await terminal.press('Down', 'Enter');
    await terminal.sees('Starts at once');
    await terminal.press('Enter');
    const screen = await terminal.sees(/● fetch +[\d.]+ m?s[\s\S]*○ clean[\s\S]*○ load/);
    await terminal.sees('fetched');
    const [, runId] = /run_(\w+)/.exec(screen) ?? [];
    writeFileSync(join(executing.root, 'data/runs', `run_${runId}`, 'workspace/go'), '');
    await terminal.sees(/✓ fetch[\s\S]*✗ clean[\s\S]*· load/);
    expect(await terminal.sees(/✗ failed/)).toContain('clean: exited with code 3');
    await terminal.sees(/I clean cleaned$/m);
    await terminal.press('Tab');
    await terminal.sees(/❯ ✓ fetch/);
    await terminal.press('Enter');
    await terminal.sees('── log fetch');
    await expect.poll(() => terminal.screen()).not.toContain('cleaned');
    await terminal.press('Tab');
    await terminal.type('rf');
    await expect.poll(async () => /run_(\w+)/.exec(await terminal.screen())?.[1]).not.toBe(runId);
    await terminal.sees(/✓ fetch[\s\S]*✗ clean/);
    expect(await terminal.screen()).not.toContain('fetched');
  });

  testWith('tmux')('that has failed says what to change', async () => {
    await executing.post('/runs', { job_id: 'demo/web', async: false });
    const terminal = await openTui(executing.url);
    await openNewestRun(terminal);
    const screen = await terminal.sees(/hint: the sandbox gives the job no network/);
    expect(screen).toMatch(/exited with code 6: curl: \(6\) Could not resolve host: example\.org \(run\.sh:2\)/);
    expect(screen).toContain('permissions: {network: all}');
    await terminal.press('q');
    await terminal.sees(/^run_\w+ · by local · exited with code 6: curl: /m);
  });

  testWith('tmux')(
    'that has failed opens at the log of the failed step, and shows the values of a matrix',
    async () => {
      const started = await executing.post('/runs', { job_id: 'demo/versions', async: false });
      expect(started.status).toBe(201);
      const terminal = await openTui(executing.url, { columns: 80, rows: 24 });
      await openNewestRun(terminal);
      const screen = await terminal.sees(/── log test\[node=24,db=pg\]/);
      expect(screen).toMatch(/✗ test {2,}[\s\S]*✓ {3}\[node=22,db=sqlite\][\s\S]*✗ {3}\[node=24,db=pg\]/);
      await terminal.sees(/I on pg$/m);
      expect(await terminal.screen()).not.toMatch(/I .*got/);
      await terminal.press('Tab');
      await terminal.sees(/❯ ✗ {3}\[node=24,db=pg\]/);
      await terminal.press('Enter');
      await terminal.sees(/I get +got$/m);
    },
  );

  testWith('tmux')('names the instances of a foreach by their items', async () => {
    await executing.post('/runs', { job_id: 'demo/zones', async: false });
    const terminal = await openTui(executing.url, { columns: 100, rows: 24 });
    await openNewestRun(terminal);
    const screen = await terminal.sees(/── log deploy\[1\] \(db2\.fra\)/);
    expect(screen).toMatch(/deploy\[1\] \(db2\.fra\): exited with code 1/);
    expect(screen).toMatch(/✓ {3}\[0\] \(db1\.fra\)[\s\S]*✗ {3}\[1\] \(db2\.fra\)/);
    await terminal.press('Tab', 'Enter');
    await terminal.sees(/I deploy\[0\] \(db1\.fra\) +to db1\.fra$/m);
  });

  testWith('tmux')('shows which steps a rerun has kept from the earlier run', async () => {
    const started = await executing.post('/runs', { job_id: 'demo/versions', async: false });
    const { run_id: runId } = JSON.parse(await started.text());
    await executing.post(`/runs/${runId}/rerun`, { from: 'failed' });
    const terminal = await openTui(executing.url, { columns: 80, rows: 30 });
    await openNewestRun(terminal);
    await terminal.sees(/✗ failed/);
    await terminal.sees(/✓ get +kept from the earlier run$/m);
    await terminal.sees(/✓ {3}\[node=24,db=sqlite\] +kept from the earlier run$/m);
    await terminal.sees(/✗ {3}\[node=24,db=pg\] +[\d.]+ m?s +exited with code 1$/m);
  });

  testWith('tmux')('says in 80 columns how many of its files are not kept, and how to keep them', async () => {
    const started = await executing.post('/runs', { job_id: 'demo/untidy', async: false });
    expect(started.status).toBe(201);
    const terminal = await openTui(executing.url, { columns: 80, rows: 24 });
    await openNewestRun(terminal);
    const screen = await terminal.sees(/✓ success/);
    expect(screen.replaceAll(/\s+/g, ' ')).toContain(
      '3 files (6 B) left in the workspace or /tmp are not kept: notes.txt, of-the-first-day.csv, ' +
        'of-the-second-day.csv; artifacts.paths would keep them, permissions.write would put them on the host',
    );
  });

  testWith('tmux')('is cancelled after a confirmation', async () => {
    const terminal = await openTui(executing.url);
    await terminal.sees('demo/long');
    await terminal.press('Enter');
    await terminal.sees('Starts at once');
    await terminal.press('Enter');
    await terminal.sees('begun');
    await terminal.type('r');
    await terminal.sees('The run has not finished yet');
    await terminal.type('c');
    await terminal.sees('Cancel this run?');
    await terminal.type('n');
    await terminal.sees(/● running/);
    await terminal.type('cy');
    await terminal.sees(/– cancelled/);
    await terminal.sees('Cancelled by local with TERM: no process is left');
    await terminal.sees(/\n *r: rerun {2}l: level/);
    await terminal.type('c');
    await terminal.sees('The run has finished');
    await terminal.type('ra');
    await terminal.sees(/● running/);
    await terminal.type('cy');
    await terminal.sees(/– cancelled/);
  });

  testWith('tmux')('that does not stop can be killed, after another confirmation', async () => {
    const terminal = await openTui(executing.url);
    await terminal.sees('demo/stubborn');
    await terminal.type('/stubborn\r\r');
    await terminal.sees('Starts at once');
    await terminal.press('Enter');
    await terminal.sees('begun');
    await terminal.sees(/\n *c: cancel {2}l: level/);
    await terminal.type('cy');
    await terminal.sees('not yet');
    await terminal.sees(/Cancelling…[\s\S]*\n *c: kill {2}l: level/);
    await terminal.type('c');
    await terminal.sees('Kill this run now?');
    await terminal.type('y');
    await terminal.sees(/– cancelled/);
    await terminal.sees(/Cancelled by local with .*KILL/);
  });
});
