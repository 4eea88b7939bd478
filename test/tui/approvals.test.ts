// Approving and denying steps at a terminal.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { openTui, type Terminal } from './a-terminal.ts';

const server = await startServing({
  executes: true,
  jobs: {
    'demo/gates': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'build', command: ['echo', 'built'] },
          { id: 'ask', approval: { text: 'Deploy?' } },
          { id: 'other', approval: { text: 'And elsewhere, where nobody has looked at it for a year or so?' } },
        ],
      }),
    },
    'demo/owned': {
      'config.yaml': JSON.stringify({ steps: [{ id: 'ask', approval: { text: 'Really?', by: ['alice'] } }] }),
    },
  },
});
afterAll(() => server.close());

async function start(terminal: Terminal): Promise<void> {
  await terminal.sees('Starts at once');
  await terminal.press('Enter');
  await terminal.sees(/\? \w+ +[\d.]+ m?s +(Deploy|Really)\?/);
}

testWith('tmux')('one waiting step is approved with a comment, and another one is denied', async () => {
  const terminal = await openTui(server.url, { columns: 60, rows: 20 });
  await terminal.sees(/^flwd {2}\S+ {2}http:/);
  await terminal.sees(/❯ demo\/gates/);
  await terminal.press('Enter');
  await start(terminal);
  await terminal.sees(/✓ build[\s\S]*\? ask +[\d.]+ m?s +Deploy\?/);
  await terminal.type('2');
  await terminal.sees(/❯ \? approval +demo\/gates/);
  await terminal.press('Enter');
  await terminal.sees(/a: approve {2}d: deny {2}c: cancel {2}\/: find {2}\?: help {2}q: back$/);
  await terminal.type('a');
  await terminal.sees(/Approve ask: Deploy\? {2}y: yes {2}n: no {2}c: comment {2}↑↓: other$/);
  await terminal.press('Enter', 'Down');
  await terminal.sees(/Approve other: .*… {2}y: yes .*↑↓: other$/);
  await terminal.press('Up');
  await terminal.type('n');
  await terminal.sees(/a: approve .*q: back$/);
  await terminal.type('acas agreed');
  await terminal.sees(/comment: as agreed/);
  await terminal.press('Enter');
  await terminal.sees(/✓ ask +[\d.]+ \w+ +approved by local: “/);
  await terminal.type('\t');
  await terminal.sees(/❯ ✓ build[\s\S]*a: approve {2}d: deny {2}Enter: show log {2}Tab: log {2}q: back$/);
  await terminal.type('dy');
  await terminal.sees(/✗ other/);
  await terminal.sees('✗ failed');
  await terminal.type('\t');
  await terminal.sees(/\n *r: rerun {2}l: level/);
  const { runs } = JSON.parse(await (await server.fetch('/runs')).text());
  const { steps } = JSON.parse(await (await server.fetch(`/runs/${runs[0].run_id}`)).text());
  expect(steps[1]).toMatchObject({ approval: { decision: 'approve', comment: 'as agreed' } });
  expect(steps[2]).toMatchObject({ approval: { decision: 'deny', comment: null } });
});

testWith('tmux')('the list of jobs shows that the last run of a job waits for an approval', async () => {
  const terminal = await openTui(server.url);
  await terminal.sees(/❯ demo\/gates/);
  await server.post('/runs', { job_id: 'demo/owned' });
  await terminal.sees(/demo\/owned +\?$/m);
});

testWith('tmux')('the arrows select one of several waiting steps, and only that step is decided', async () => {
  const terminal = await openTui(server.url);
  await terminal.sees(/❯ demo\/gates/);
  await terminal.press('Enter');
  await start(terminal);
  await terminal.sees(/✓ build[\s\S]*\? ask[\s\S]*\? other/);
  await terminal.press('Tab', 'Down', 'Down');
  await terminal.sees(/❯ \? other/);
  await terminal.type('d');
  await terminal.sees(/Deny other: And elsewhere.*↑↓: other$/);
  await terminal.press('Up');
  await terminal.sees(/Deny ask: Deploy\?/);
  await terminal.type('y');
  await terminal.sees(/✗ ask +[\d.]+ \w+ +denied by local/);
});

testWith('tmux')('a user who may not approve is told so', async () => {
  const terminal = await openTui(server.url);
  await terminal.sees('demo/owned');
  await terminal.press('Down', 'Enter');
  await start(terminal);
  await terminal.type('ay');
  await terminal.sees("Permission Denied: The step 'ask' needs the approval of alice; you are local.");
  await terminal.press('Left');
  await expect.poll(() => terminal.screen()).not.toContain('Permission Denied');
});
