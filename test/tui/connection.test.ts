// Servers that go away and come back, and servers that need a token.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { openWire } from '../support/a-wire.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { openStreamGate } from '../support/stream-gate.ts';
import { openTui } from './a-terminal.ts';

const server = await startServing({ jobs: { demo: bash('true') } });
const executing = await startServing({ executes: true, jobs: { demo: bash('true') } });
afterAll(() => executing.close());
afterAll(() => server.close());

testWith('tmux')('a lost connection is reported, and everything continues when the server is back', async () => {
  await using wire = await openWire(server.url);
  const run = await server.addRun();
  await run.move('claim');
  await run.print('before');
  const terminal = await openTui(wire.url);
  await terminal.sees(/❯ demo/);
  await terminal.press('2');
  await terminal.sees(/● running +demo/);
  await terminal.press('Enter');
  await terminal.sees(/I before$/m);
  wire.cut();
  await terminal.sees('✗ no connection, retrying');
  await run.print('meanwhile');
  await run.finish();
  expect(await terminal.screen()).toContain('● running');
  wire.fix();
  const screen = await terminal.sees(/I before\n.*I meanwhile$/m);
  expect(screen.match(/before|meanwhile/g)).toHaveLength(2);
  await terminal.sees('✓ success');
  await expect.poll(() => terminal.screen()).not.toContain('no connection');
});

testWith('tmux')('the error of an action that found no server disappears once the server is back', async () => {
  await using wire = await openWire(executing.url);
  const terminal = await openTui(wire.url);
  await terminal.sees(/❯ demo/);
  await terminal.press('Enter');
  await terminal.sees('Starts at once');
  wire.cut();
  await terminal.press('C-s');
  await terminal.sees('No server can be reached');
  await terminal.sees('✗ no connection, retrying');
  wire.fix();
  await terminal.sees('Starts at once');
  await terminal.press('C-s');
  await terminal.sees(/✓ success[\s\S]*\nr: rerun/);
  wire.cut();
  await terminal.type('ra');
  await terminal.sees('No server can be reached');
  await terminal.sees('✗ no connection, retrying');
  wire.fix();
  await expect.poll(() => terminal.screen()).not.toMatch(/no connection|No server/);
});

testWith('tmux')('a server that does not answer is reported before it counts as lost', async () => {
  await using wire = await openWire(server.url);
  const terminal = await openTui(wire.url);
  await terminal.sees(/ ● \w+$/m);
  wire.hang();
  await terminal.sees('… no answer yet');
  await terminal.sees('✗ no connection, retrying');
  wire.fix();
  await terminal.sees(/ ● \w+$/m);
});

testWith('tmux')('a run that has printed nothing is still followed after the server closes its streams', async () => {
  const gate = await openStreamGate(server.url);
  const run = await server.addRun();
  await run.move('claim');
  const terminal = await openTui(gate.url);
  await terminal.sees(/❯ demo/);
  await terminal.press('2');
  await terminal.sees(/● running +demo/);
  await terminal.press('Enter');
  // The run has one stream for its log and one for its events.
  await expect.poll(gate.open).toBe(2);
  gate.endStreams();
  await run.print('late');
  await terminal.sees(/I late$/m);
  await run.finish();
  await terminal.sees('✓ success');
});

testWith('tmux')('the UI waits for a server that is not running yet', async () => {
  await using wire = await openWire(server.url);
  wire.cut();
  const terminal = await openTui(wire.url);
  await terminal.sees('✗ no connection, retrying');
  await terminal.sees(`No server can be reached at ${wire.url}`);
  await terminal.press('?');
  await terminal.sees('quit at once');
  await terminal.press('x');
  wire.fix();
  await terminal.sees(/❯ demo/);
  await expect.poll(() => terminal.screen()).not.toContain('No server');
});

testWith('tmux')('a missing scope is reported where the user needs it', async () => {
  const { credential } = await executing.token({ scopes: ['jobs:read'] });
  const terminal = await openTui(executing.url, { token: credential });
  await terminal.sees(/❯ demo/);
  await terminal.press('Enter');
  await terminal.sees('Starts at once');
  await terminal.press('C-s');
  await terminal.sees(/Permission Denied: .*runs:write/);
  await terminal.press('q');
  await terminal.sees(/❯ demo/);
  await terminal.press('2');
  await terminal.sees(/runs:read/);
  const stranger = await openTui(executing.url, { token: 'flwd_wrong' });
  await stranger.sees(/Unauthenticated: /);
});
